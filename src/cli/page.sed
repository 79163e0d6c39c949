# explore.html as C: sed -f page.sed explore.html > explore-page.c; see explore-html.c.
s/\\/\\\\/g
s/"/\\"/g
s/^/        "/
s/$/\\n",/
1i\
#include "cli/explore-page.h"\
const char *const explore_page[] = {
$a\
        NULL\
};
