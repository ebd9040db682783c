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
export function productConnection(port: number, database: string): pg.ClientConfig {
  return {
    ...sessionParameters({ FUNCTION_TARGET: 'bench', DROVER_LEASE_SECONDS: 60 }),
    host: '127.0.0.1',
    port,
    database,
    ssl: false,
    user: functionLogin('create-schema', localProject),
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

/** The product's statements for each of these schemas. */
export async function captureStatements(
  port: number,
  database: string,
  schemas: readonly string[],
): Promise<Statements[]> {
  const recorder = new Recorder(productConnection(port, database));
  await recorder.connect();
  const pools: Pick<Pools, 'withConnection'> = {
    withConnection: (_target, _options, use) => use(recorder, { discard: () => undefined }),
  };
  const captured: Statements[] = [];
  try {
    for (const schema of schemas) {
      recorder.prologue = '';
      recorder.changes = [];
      await convergeSchema(
        pools as Pools,
        { instance: localInstance, database },
        { database, schema, levels: ['writer', 'reader', 'analyst'], adopt: false, lockDatabase: false },
        {
          signal: new AbortController().signal,
          remainingMs: () => 290_000,
          fence: { epoch: 1, outstanding: false },
        },
      );
      captured.push({ prologue: recorder.prologue, changes: recorder.changes });
    }
  } finally {
    await recorder.end();
  }
  return captured;
}
