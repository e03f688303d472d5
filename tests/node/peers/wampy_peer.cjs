// wampy.js 8 under Node.js as a peer: `node wampy_peer.cjs DIRECTORY URL`, where DIRECTORY is wampy's own.
// Reads orders from stdin, one JSON object a line, and writes answers and events to stdout likewise.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const [directory, url] = process.argv.slice(2);
const load = createRequire(path.join(directory, "package.json"));
const { Wampy } = load("./dist/cjs/wampy.cjs");
const WebSocket = load("ws"); // Node.js has a WebSocket of its own from version 22 on

function tell(what) {
  process.stdout.write(JSON.stringify(what) + "\n");
}

async function obey(wampy, order) {
  const payload = { argsList: order.args || [], argsDict: order.kwargs || {} };
  if (order.do === "call") {
    const result = await wampy.call(order.uri, payload);
    return { result: (result.argsList || [])[0], kwargs: result.argsDict };
  }
  if (order.do === "publish") {
    await wampy.publish(order.topic, payload);
    return { result: null };
  }
  if (order.do === "subscribe") {
    await wampy.subscribe(order.topic, (event) => {
      tell({ event: order.topic, args: event.argsList || [], kwargs: event.argsDict || {} });
    });
    return { result: null };
  }
  if (order.do === "register") {
    await wampy.register(order.uri, (invocation) => {
      if ((invocation.argsDict || {}).refuse) {
        invocation.error_handler({ error: "com.peer.refused", argsList: ["no"], argsDict: { why: "asked" } });
        return undefined;
      }
      return { argsList: [{ args: invocation.argsList || [], kwargs: invocation.argsDict || {} }] };
    });
    return { result: null };
  }
  throw new Error(`unknown order ${order.do}`);
}

async function main() {
  const wampy = new Wampy(url, { realm: "realm1", ws: WebSocket, autoReconnect: false });
  await wampy.connect();
  tell({ ready: true });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      tell(await obey(wampy, JSON.parse(line)));
    } catch (error) {
      tell({ error: error.errorUri || String(error), args: error.argsList, kwargs: error.argsDict });
    }
  }
  await wampy.disconnect();
}

main();
