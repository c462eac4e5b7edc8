// pg-boss: batches of 1,000 by two local workers, again at once while batches are full, woken by NOTIFY; its
// handler gets a whole batch.
import { drive, dsn, packages } from "./agent.mjs";

const { PgBoss } = packages("pg-boss");

const BATCH = 1000, LOCAL = 2, POLL_SECONDS = 0.5;
const make = (max, options) => {
  const boss = new PgBoss({ connectionString: dsn, max, ...options });
  boss.on("error", (error) => console.error(error));
  return boss;
};

await drive({
  batch: 10000,
  settings: `node ${process.version}, batchSize=${BATCH}, localConcurrency=${LOCAL}, burstWhenBatchFull, `
    + `pollingIntervalSeconds=${POLL_SECONDS}, notify, useListenNotify`,
  async setup() {
    const boss = make(2, {});
    await boss.start();
    await boss.createQueue("bench", { notify: true });
    await boss.stop({ graceful: false });
  },
  async open(connections) {
    this.producer = make(connections, { supervise: false, schedule: false, migrate: false });
    await this.producer.start();
  },
  enqueueBatch(payloads) { return this.producer.insert("bench", payloads.map((data) => ({ data }))); },
  enqueueOne(payload) { return this.producer.send("bench", payload); },
  async startWorker(onJob) {
    this.boss = make(10, { useListenNotify: true });
    await this.boss.start();
    const options = {
      batchSize: BATCH, localConcurrency: LOCAL, burstWhenBatchFull: true, pollingIntervalSeconds: POLL_SECONDS,
    };
    await this.boss.work("bench", options, async (jobs) => { for (const job of jobs) onJob(job.data.t); });
  },
  async stopWorker() { if (this.boss) await this.boss.stop({ graceful: true, timeout: 5000 }); },
});
