import { openSecretPool, type SecretPool } from '../../../docs/examples/reading-secrets/node.ts';
import { secretManager } from '../../../shared/gcp/secretmanager.ts';
import { percentile } from '../statistics.ts';
import {
  type ApplicationAnswer,
  type ApplicationOrder,
  type PoolFigures,
  poolSize,
  readTable,
  refreshMs,
} from './process.ts';

/**
 * An application, as the documentation says how to write one: pools that follow a secret, each of whose connections
 * queries without pause.
 */
class Load {
  readonly #version: string;
  #latencies: number[] = [];
  #problems: string[] = [];
  #refreshProblems: string[] = [];

  constructor(version: string) {
    this.#version = version;
  }

  async open(): Promise<void> {
    const pool = await openSecretPool({
      secrets: await secretManager(),
      version: this.#version,
      refreshMs,
      pool: { max: poolSize, ssl: false },
      onError: ({ message }) => this.#refreshProblems.push(message),
    });
    for (let worker = 0; worker < poolSize; worker += 1) void this.#work(pool);
  }

  async #work(pool: SecretPool): Promise<never> {
    const text = `SELECT total FROM ${readTable.name} WHERE id = $1`;
    for (;;) {
      const askedAt = performance.now();
      try {
        const { rows } = await pool.query(text, [Math.ceil(Math.random() * readTable.rows)]);
        if (rows.length !== 1) throw new Error(`${rows.length} rows`);
        this.#latencies.push(performance.now() - askedAt);
      } catch (error) {
        this.#problems.push(String(error));
      }
    }
  }

  begin(): void {
    this.#latencies = [];
    this.#problems = [];
    this.#refreshProblems = [];
  }

  figures(): PoolFigures {
    const latencies = this.#latencies;
    return {
      queries: latencies.length + this.#problems.length,
      failed: this.#problems.length,
      refreshesFailed: this.#refreshProblems.length,
      firstProblem: this.#problems[0] ?? this.#refreshProblems[0],
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      longest: latencies.reduce((longest, one) => Math.max(longest, one), 0),
    };
  }
}

const loads: Load[] = [];

process.on('message', async ({ open = [], begin }: ApplicationOrder) => {
  const opened = open.map((version) => new Load(version));
  await Promise.all(opened.map((load) => load.open()));
  loads.push(...opened);
  const pools = loads.map((load) => load.figures());
  if (begin) for (const load of loads) load.begin();
  process.send?.({ pools } satisfies ApplicationAnswer);
});
process.send?.({ pools: [] } satisfies ApplicationAnswer);
