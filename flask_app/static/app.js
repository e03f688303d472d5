// Makes the page live.  Everything here is also there without it, after a reload.
"use strict";

const RETRY_MS = 2000;
const ANSWER_MS = 15000;
const SUMMARY_MS = 300;
const SUMMARY_RETRY_MS = 5000;
const WORDS = {
  live: "live",
  connecting: "connecting…",
  offline: "offline",
  off: "live updates are off",
};

const poll = document.querySelector("[data-poll-id]");
const pollId = Number(poll.dataset.pollId);
const connection = document.querySelector("#connection");
const message = document.querySelector("#message");
const summary = document.querySelector("#summary");
const list = document.querySelector("#polls");

let session; // the Wampy object, while its connection is up
let voting = false;
let summaryTimer;

function show(state) {
  connection.dataset.state = state;
  connection.textContent = WORDS[state];
}

function say(text, isError = false) {
  message.textContent = text;
  message.classList.toggle("error", isError);
}

// Draws a poll's results.  Events and answers can overtake each other; as no vote is ever taken
// back, the smaller total is the older one.
function draw(results) {
  if (results.closed) showClosed();
  const total = poll.querySelector("[data-total]");
  if (results.total < Number(total.textContent)) return;
  total.textContent = results.total;
  for (const { id, votes } of results.choices) {
    const row = poll.querySelector(`[data-choice-id="${id}"]`);
    const percent = `${Math.round((100 * votes) / (results.total || 1))}%`;
    row.querySelector("[data-votes]").textContent = votes;
    row.querySelector("[data-percent]").textContent = percent;
    row.querySelector("rect").setAttribute("width", percent);
  }
}

// A poll that is closed is not opened again.
function showClosed() {
  document.querySelector("#closed").hidden = false;
  for (const button of poll.querySelectorAll("#vote button")) button.disabled = true;
  const form = document.querySelector("#close"); // there for the owner only
  if (form) form.hidden = true;
}

function addPoll({ id, question }) {
  const target = `/?poll=${id}`;
  if (id === pollId || list.querySelector(`a[href="${target}"]`)) return;
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = target;
  link.textContent = question;
  item.className = "new";
  item.append(link);
  list.prepend(item);
}

// Waits for an answer, but not for ever: a network that goes away closes nothing.  Closing makes
// the page connect anew.
async function within(wampy, promise) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => {
      wampy.abort();
      reject(new Error("no answer"));
    }, ANSWER_MS);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}

// Calls a procedure with keyword arguments and returns what it returned.
async function call(procedure, details) {
  return (await within(session, session.call(procedure, details))).argsList[0];
}

async function refreshResults() {
  draw(await call("com.example.polls.results", { poll_id: pollId }));
}

async function refreshSummary() {
  try {
    summary.textContent = (await call("com.example.polls.summary", { poll_id: pollId })).text;
  } catch {
    summary.textContent = ""; // none is better than one about earlier votes
    summaryChanged(SUMMARY_RETRY_MS); // the service may start after the page is live
  }
}

// Many votes at once ask for one summary.
function summaryChanged(delay = SUMMARY_MS) {
  clearTimeout(summaryTimer);
  summaryTimer = setTimeout(() => session && refreshSummary(), delay);
}

function onResults({ argsDict }) {
  draw(argsDict);
  summaryChanged();
}

// Connects for ever.  Wampy's own reconnecting gives up when the first attempt fails or when the
// router says goodbye, and it subscribes anew only after its callback; so each attempt here is a
// new Wampy, which subscribes first and fetches the results afterwards: nothing is missed.
async function connect() {
  let closed = false;
  const wampy = new Wampy("/ws", {
    realm: "realm1",
    autoReconnect: false,
    onClose: () => {
      closed = true;
      session = undefined;
      show("offline");
      // Not all pages at the same moment, after the router has been away.
      setTimeout(connect, RETRY_MS * (0.75 + Math.random() / 2));
    },
  });
  try {
    await within(wampy, wampy.connect());
    await wampy.subscribe(`com.example.polls.${pollId}.results`, onResults);
    await wampy.subscribe("com.example.polls.created", ({ argsDict }) => addPoll(argsDict));
    session = wampy;
    await refreshResults();
    show("live");
    summaryChanged();
  } catch {
    // A router that refuses, or a Flask that has not registered yet, leaves the connection open.
    if (!closed) wampy.abort();
  }
}

async function vote(event) {
  if (!session || connection.dataset.state !== "live") return; // the browser sends the form
  event.preventDefault();
  if (voting) return;
  voting = true;
  const choice = Number(event.submitter.value);
  const text = event.submitter.closest("li").querySelector("[data-text]").textContent;
  try {
    draw(await call("com.example.polls.vote", { poll_id: pollId, choice }));
    say(`Your vote for “${text}” is counted.`);
  } catch (error) {
    if (error.errorUri === "wamp.error.no_such_procedure") {
      // Flask has left the router.  It may answer HTTP still, and nothing has been counted yet.
      show("offline");
      event.submitter.click();
      session?.abort();
      return;
    }
    // Not sent again as a form: if only the answer is lost, that would count twice.
    const reason = error.argsList?.[0] ?? "The connection broke, so it may not be counted.";
    say(`Your vote for “${text}”: ${reason}`, true);
  } finally {
    voting = false;
  }
}

document.querySelector("#vote").addEventListener("submit", vote);

if (typeof Wampy === "undefined") {
  show("off"); // the file static/vendor/wampy.min.js is missing
} else {
  show("connecting");
  connect();
}
