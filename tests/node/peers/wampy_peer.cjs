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

// The request of the call that was started without being awaited, for "cancel".
let started = null;

function resultOf(result) {
  return { result: (result.argsList || [])[0], kwargs: result.argsDict };
}

function errorOf(error) {
  return { error: error.errorUri || String(error), args: error.argsList, kwargs: error.argsDict };
}

// The options of a call: those of the order and, where it names "progress", what takes its progressive results.
function callOptions(order) {
  if (!order.progress) {
    return order.options || {};
  }
  const progress_callback = (part) => {
    tell({ event: order.progress, args: part.argsList || [], kwargs: part.argsDict || {} });
  };
  return { ...order.options, progress_callback };
}

async function obey(wampy, order) {
  const payload = { argsList: order.args || [], argsDict: order.kwargs || {} };
  if (order.do === "call") {
    return resultOf(await wampy.call(order.uri, payload, callOptions(order)));
  }
  if (order.do === "start") {
    const answer = wampy.call(order.uri, payload, callOptions(order));
    started = wampy.getOpStatus().reqId;
    answer.then(resultOf, errorOf).then((outcome) => tell({ event: "outcome", ...outcome }));
    return { result: null };
  }
  if (order.do === "cancel") {
    return { result: wampy.cancel(started, order.options) };
  }
  if (order.do === "publish") {
    await wampy.publish(order.topic, payload);
    return { result: null };
  }
  if (order.do === "subscribe") {
    const tellEvent = (event) => {
      const topic = event.details.topic || order.topic;
      const carried = event.details.transaction_hash;
      const id = /;e=/.test(carried) ? carried : undefined; // of a durable event; others have none
      tell({ event: topic, args: event.argsList || [], kwargs: event.argsDict || {}, id });
    };
    await wampy.subscribe(order.topic, tellEvent, order.options);
    return { result: null };
  }
  if (order.do === "register") {
    await wampy.register(order.uri, (invocation) => {
      if ((invocation.argsDict || {}).refuse) {
        invocation.error_handler({ error: "com.peer.refused", argsList: ["no"], argsDict: { why: "asked" } });
        return undefined;
      }
      return { argsList: [{ args: invocation.argsList || [], kwargs: invocation.argsDict || {} }] };
    }, order.options);
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
      tell(errorOf(error));
    }
  }
  await wampy.disconnect();
}

main();
