// wampy.js 8 under Node.js logging in: `node wampy_login.cjs DIRECTORY URL METHOD AUTHID`, DIRECTORY being wampy's own,
// with the secret as the line on stdin. Says who it is, and the result of a call, or why it was not let in.
"use strict";

const fs = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

const [directory, url, method, authid] = process.argv.slice(2);
const load = createRequire(path.join(directory, "package.json"));
const { Wampy } = load("./dist/cjs/wampy.cjs");
const WebSocket = load("ws"); // Node.js has a WebSocket of its own from version 22 on

// The methods that wampy.js 8 has: a ticket is what onChallenge returns, the other two are its plugins.
async function answering(secret) {
  if (method === "wampcra") {
    const plugin = path.join(directory, "dist/cjs/auth/wampcra/wampy-cra.mjs");
    return (await import(pathToFileURL(plugin))).sign(secret);
  }
  if (method === "cryptosign") {
    return load("./dist/cjs/auth/cryptosign/wampy-cryptosign.cjs").sign(secret);
  }
  return () => secret;
}

// The router wants the public key with the HELLO.
function extra(secret) {
  if (method !== "cryptosign") return {};
  const { publicKey } = load("tweetnacl").sign.keyPair.fromSeed(Buffer.from(secret, "hex"));
  return { authextra: { pubkey: Buffer.from(publicKey).toString("hex") } };
}

async function main() {
  const secret = fs.readFileSync(0, "utf8").trim();
  const options = {
    realm: "realm1",
    ws: WebSocket,
    autoReconnect: false,
    authid,
    authmethods: [method],
    onChallenge: await answering(secret),
    ...extra(secret),
  };
  const wampy = new Wampy(url, options);
  const told = {};
  try {
    const welcome = await wampy.connect();
    Object.assign(told, { authid: welcome.authid, role: welcome.authrole, method: welcome.authmethod });
    told.result = (await wampy.call("com.test.add", { argsList: [1, 2] })).argsList[0];
  } catch (error) {
    told.error = error.errorUri || String(error.message || error);
  }
  process.stdout.write(JSON.stringify(told) + "\n");
  process.exit(0);
}

main();
