# A text file as the elements of a C array of lines: sed -f page.sed explore.html
s/\\/\\\\/g
s/"/\\"/g
s/^/"/
s/$/\\n",/
