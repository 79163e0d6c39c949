// A page whose text comes from a package of the registry.
const http = require('http');
const ms = require('ms');

const text = `node uid=${process.getuid()} minute=${ms('1m')} env=${process.env.NODE_ENV}\n`;
http.createServer((_, answer) => answer.end(text)).listen(3000);
