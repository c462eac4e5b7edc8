// The agent for peers on Node: the same commands and answers as agent.py, which describes them.
//
//   PEER_DSN=... PEER_PACKAGES=directory-with-node_modules node graphile.mjs
//
// An adapter calls `drive(peer)`; peer has settings, batch, setup, open, enqueueBatch, enqueueOne, startWorker
// and stopWorker. `packages` imports what was installed for it.
import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

export const packages = createRequire(process.env.PEER_PACKAGES + "/package.json");
export const dsn = process.env.PEER_DSN;

const PAD = "x".repeat(56);
const STOP_MS = 15_000, PROGRESS_MS = 25, PAUSE_MS = 2, WARM_UP = 10;

// The monotonic clock that all processes of the machine share, in seconds.
const now = () => Number(process.hrtime.bigint()) / 1e9;
const sleep = (ms) => new Promise((done) => setTimeout(done, Math.max(0, ms)));
const payloads = (start, number) =>
  Array.from({ length: number }, (_, index) => ({ t: now(), i: start + index, pad: PAD }));

function emit(message) {
  let line = Buffer.from(JSON.stringify(message) + "\n");
  while (line.length) {
    try {
      line = line.subarray(writeSync(1, line));
    } catch (error) {
      // The pipe is full for a moment; whoever reads it is another process.
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

const tally = { count: 0, first: 0, keep: false, latencies: [], target: 0, reached: () => {} };

function onJob(enqueuedAt) {
  const at = now();
  if (tally.count === 0) tally.first = at;
  if (tally.keep) tally.latencies.push(at - enqueuedAt);
  if (++tally.count === tally.target) tally.reached();
}

async function reach(number) {
  if (tally.count >= number) return;
  tally.target = number;
  await new Promise((done) => (tally.reached = done));
}

function commandsFor(peer) {
  let progress = 0;
  const turn = async (size) => {
    const goal = tally.count + size;
    await peer.enqueueBatch(payloads(tally.count, size));
    await reach(goal);
  };
  return {
    setup: () => peer.setup(),
    open: ({ connections }) => peer.open(connections),
    async bulk({ number }) {
      const batches = [];
      for (let start = 0; start < number; start += peer.batch)
        batches.push(payloads(start, Math.min(peer.batch, number - start)));
      const began = now();
      for (const batch of batches) await peer.enqueueBatch(batch);
      return { elapsed: now() - began };
    },
    async single({ number, clients }) {
      let next = 0;
      const client = async () => {
        while (next < number) await peer.enqueueOne(payloads(next++, 1)[0]);
      };
      const began = now();
      await Promise.all(Array.from({ length: clients }, client));
      return { elapsed: now() - began };
    },
    async pace({ number, pause }) {
      let due = now();
      for (let index = 0; index < number; index++) {
        due += pause;
        await peer.enqueueOne(payloads(index, 1)[0]);
        await sleep((due - now()) * 1000);
      }
    },
    async produce({ seconds, size, backlog }) {
      const start = progress, began = now();
      let number = 0;
      while (now() - began < seconds) {
        if (number - (progress - start) > backlog) {
          await sleep(PAUSE_MS);
          continue;
        }
        await peer.enqueueBatch(payloads(number, size));
        number += size;
      }
      return { number, elapsed: now() - began };
    },
    async start({ settle = 0, progress: tell = false, latencies = false }) {
      tally.keep = latencies;
      await peer.startWorker(onJob);
      await sleep(settle * 1000);
      if (tell) setInterval(() => emit({ progress: tally.count }), PROGRESS_MS);
    },
    async reach({ number }) {
      await reach(number);
      return { first: tally.first };
    },
    stats: async () => ({ count: tally.count, latencies: tally.latencies }),
    async churn({ seconds, size }) {
      const ends = [];
      let began = now();
      while (now() - began < seconds / WARM_UP) await turn(size);
      began = now();
      while (!ends.length || ends.at(-1) < seconds) {
        await turn(size);
        ends.push(now() - began);
      }
      return { ends };
    },
    progress: ({ jobs }) => { progress = jobs; },
  };
}

export async function drive(peer) {
  const commands = commandsFor(peer);
  const fail = (error) => { console.error(error); process.exit(1); };
  emit({ hello: { settings: peer.settings, batch: peer.batch } });
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...args } = JSON.parse(line);
    if (command === "progress") commands.progress(args);
    else commands[command](args).then((answer) => emit({ answer: answer || {} }), fail);
  }
  await Promise.race([peer.stopWorker(), sleep(STOP_MS)]);
  process.exit(0);
}
