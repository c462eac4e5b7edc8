// Graphile Worker: what its documentation's figures are made with: 24 jobs at once, a local queue of 500,
// completions and failures in batches without delay. No refetchDelay: with it a burst that arrives just after
// a short fetch waits for the poll of 2 s.
import { drive, dsn, packages } from "./agent.mjs";

const worker = packages("graphile-worker");
const { Pool } = packages("pg");

const JOBS = 24, LOCAL_QUEUE = 500;
const logger = new worker.Logger(() => (level, text) => { if (level === "error") console.error(text); });

await drive({
  batch: 5000,
  settings: `node ${process.version}, concurrentJobs=${JOBS}, localQueue.size=${LOCAL_QUEUE}, `
    + `completeJobBatchDelay=0, failJobBatchDelay=0, maxPoolSize=${JOBS + 1}`,
  setup: () => worker.runMigrations({ connectionString: dsn, logger }),
  async open(connections) {
    const pgPool = new Pool({ connectionString: dsn, max: connections });
    this.utils = await worker.makeWorkerUtils({ pgPool, logger });
  },
  enqueueBatch(payloads) {
    return this.utils.addJobs(payloads.map((payload) => ({ identifier: "bench", payload })));
  },
  enqueueOne(payload) { return this.utils.addJob("bench", payload); },
  async startWorker(onJob) {
    this.runner = await worker.run({
      logger,
      preset: {
        worker: {
          connectionString: dsn, concurrentJobs: JOBS, maxPoolSize: JOBS + 1,
          localQueue: { size: LOCAL_QUEUE }, completeJobBatchDelay: 0, failJobBatchDelay: 0,
        },
      },
      taskList: { bench: async (payload) => onJob(payload.t) },
    });
    this.runner.promise.catch((error) => { console.error(error); process.exit(1); });
  },
  async stopWorker() { if (this.runner) await this.runner.stop(); },
});
