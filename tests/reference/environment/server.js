// Tells whether the development packages were installed.
const http = require('http');
const fs = require('fs');

const packages = fs.readdirSync('node_modules').filter((name) => !name.startsWith('.')).sort().join(',');
http.createServer((_, answer) => answer.end(`${process.env.NODE_ENV} ${packages}\n`)).listen(3000);
