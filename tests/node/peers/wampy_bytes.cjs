// wampy.js 8 under Node.js with bytes: `node wampy_bytes.cjs DIRECTORY URL SERIALIZER`, DIRECTORY being wampy's own.
// Registers com.payloads.js, then says what it makes of the bytes of a view, and what a view makes of its own.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");

const [directory, url, name] = process.argv.slice(2);
const load = createRequire(path.join(directory, "package.json"));
const { Wampy } = load("./dist/cjs/wampy.cjs");
const WebSocket = load("ws"); // Node.js has a WebSocket of its own from version 22 on

const KINDS = { json: "JsonSerializer", cbor: "CborSerializer", msgpack: "MsgpackSerializer" };
const Serializer = load(`./dist/cjs/serializers/${name}-serializer.cjs`)[KINDS[name]];

function described(value) {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(described);
  return value;
}

async function main() {
  const wampy = new Wampy(url, { realm: "realm1", ws: WebSocket, autoReconnect: false, serializer: new Serializer() });
  await wampy.connect();
  await wampy.register("com.payloads.js", (invocation) => ({
    argsList: [invocation.argsList[0], [invocation.argsList[0]]],
    argsDict: { octets: invocation.argsList[0], is: described(invocation.argsList[0]) },
  }));
  const octets = Buffer.from([0, 255, 128, 1]);
  const told = {
    ready: true,
    view: described((await wampy.call("com.test.bytes")).argsList[0]),
    echo: described((await wampy.call("com.test.echo", { argsList: [[octets, "text"]] })).argsList[0]),
    several: described((await wampy.call("com.payloads.several")).argsList),
  };
  process.stdout.write(JSON.stringify(told) + "\n");
}

main().catch((error) => {
  process.stdout.write(String(error.stack || error) + "\n");
  process.exit(1);
});
