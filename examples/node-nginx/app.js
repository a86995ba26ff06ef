// A page from node, on a unix socket. TERM closes the server: requests that are under way are answered first.
const fs = require('fs');
const http = require('http');

const [path, name] = process.argv.slice(2);
const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain');
  response.end(`node at work: ${name}, pid ${process.pid}\n`);
});
// A process that was killed leaves its socket behind.
fs.rmSync(path, { force: true });
server.listen(path, () => {
  // nginx's workers are another user when root starts this.
  fs.chmodSync(path, 0o666);
  console.log(`listening at ${path}`);
});
process.on('SIGTERM', () => server.close(() => process.exit(0)));
