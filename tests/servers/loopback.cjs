// The emulator names no interface, which means all of them: here it may only listen on loopback.
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const callback = rest.find((part) => typeof part === "function");
  return listen.call(this, { port: Number(port), host: "127.0.0.1" }, callback);
};
