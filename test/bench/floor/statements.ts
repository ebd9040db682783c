import type pg from 'pg';
import { localPassword } from '../../../local/postgres/cloudsql.ts';
import { localInstance, localProject } from '../../../local/stack.ts';
import { functionLogin } from '../../../shared/manifest.ts';
import type { Pools } from '../../../shared/postgres/pools.ts';
import { convergeSchema } from '../../../shared/postgres/schema/converge.ts';
import { Session, sessionParameters } from '../../../shared/postgres/session.ts';

/** What the product would send for one schema, word for word. */
export interface Statements {
  /** Begin, role, lock and inspection, in one message. */
  readonly prologue: string;
  readonly changes: readonly string[];
}

/** How the product's own login reaches a database of the local cloud. */
export function productConnection(
  port: number,
  database: string,
  functionName = 'create-schema',
): pg.ClientConfig {
  return {
    ...sessionParameters({ FUNCTION_TARGET: 'bench', DROVER_LEASE_SECONDS: 60 }),
    host: '127.0.0.1',
    port,
    database,
    ssl: false,
    user: functionLogin(functionName, localProject),
    password: localPassword,
  };
}

/** Lets the product inspect and plan, and writes down what it would change instead of changing it. */
class Recorder extends Session {
  prologue = '';
  changes: string[] = [];

  override query = (async (text: string) => {
    if (this.prologue === '') {
      this.prologue = text;
      return this.send(text);
    }
    if (text === 'COMMIT') {
      await this.send('ROLLBACK');
      return { command: 'COMMIT' };
    }
    this.changes.push(text);
    return { command: '' };
  }) as pg.Client['query'];

  send(text: string): Promise<unknown> {
    return super.query(text);
  }
}

/** What the product does with connections, each time written down. */
export type Capture = (work: (pools: Pools) => Promise<unknown>) => Promise<Statements>;

/** @param connection that the product gets, whichever it asks for */
export async function withCapture<T>(
  connection: pg.ClientConfig,
  use: (capture: Capture) => Promise<T>,
): Promise<T> {
  const recorder = new Recorder(connection);
  await recorder.connect();
  const pools: Pick<Pools, 'withConnection'> = {
    withConnection: (_target, _options, borrow) => borrow(recorder, { discard: () => undefined }),
  };
  try {
    return await use(async (work) => {
      recorder.prologue = '';
      recorder.changes = [];
      await work(pools as Pools);
      return { prologue: recorder.prologue, changes: recorder.changes };
    });
  } finally {
    await recorder.end();
  }
}

/** What the product is told of its time. */
export const withTime = {
  signal: new AbortController().signal,
  remainingMs: () => 290_000,
};

/** The product's statements for each of these schemas. */
export function captureStatements(
  port: number,
  database: string,
  schemas: readonly string[],
): Promise<Statements[]> {
  return withCapture(productConnection(port, database), async (capture) => {
    const captured: Statements[] = [];
    for (const schema of schemas) {
      const wanted = {
        database,
        schema,
        levels: ['writer', 'reader', 'analyst'] as const,
        adopt: false,
        lockDatabase: false,
      };
      const options = { ...withTime, fence: { epoch: 1, outstanding: false } };
      const target = { instance: localInstance, database };
      captured.push(await capture((pools) => convergeSchema(pools, target, wanted, options)));
    }
    return captured;
  });
}
