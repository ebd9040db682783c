import { setTimeout as delay } from 'node:timers/promises';
import { serversOf } from '../calls.ts';
import type { Cloud } from '../cloud.ts';

/** What an operation of the product asked of the services of a cloud, word for word, as JSON can hold it. */
export interface Recording {
  /** In the order in which they arrived. */
  readonly calls: readonly RecordedCall[];
  readonly loans: readonly RecordedLoan[];
}

export interface RecordedCall {
  /** `Secret Manager CreateSecret` */
  readonly call: string;
  /** Bytes in it are text. */
  readonly request: Readonly<Record<string, unknown>>;
}

/** What was sent to PostgreSQL while a connection was lent once. */
export interface RecordedLoan {
  readonly user: string;
  readonly database: string;
  readonly messages: readonly string[];
}

const prefix = 'recorded';
const statementLine = new RegExp(`^${prefix}\\|([^|]*)\\|([^|]*)\\|LOG: {2}statement: (.*)$`, 's');

/** Reads the statements out of the log of a PostgreSQL that was told to write them there. */
export class StatementLog {
  readonly #lines: string[] = [];

  /** Takes each line that PostgreSQL writes. */
  readonly read = (line: string): void => {
    // Of what has more than one line, all but the first begin with a tab.
    if (line.startsWith('\t')) this.#lines.push(`${this.#lines.pop() ?? ''}\n${line.slice(1)}`);
    else this.#lines.push(line);
  };

  /** What whoever isn't the superuser has sent since this was asked last. */
  take(superuser: string): { user: string; database: string; text: string }[] {
    return this.#lines.splice(0).flatMap((line) => {
      const [, user = '', database = '', text = ''] = statementLine.exec(line) ?? [];
      return text === '' || user === superuser ? [] : [{ user, database, text }];
    });
  }

  has(text: string): boolean {
    return this.#lines.some((line) => line.includes(text));
  }
}

/** What is sent to do some work: all that the cloud gets meanwhile. */
export async function record(
  cloud: Cloud,
  log: StatementLog,
  work: () => Promise<unknown>,
): Promise<Recording> {
  const superuser = new URL(cloud.cluster.superuserUrl()).username;
  const set = (setting: string) => cloud.query('postgres', `ALTER SYSTEM ${setting}`);
  await set(`SET log_line_prefix = '${prefix}|%u|%d|'`);
  await set(`SET log_statement = 'all'`);
  await cloud.query('postgres', 'SELECT pg_reload_conf()');
  await written(cloud, log, 'the beginning');
  await cloud.stack.pubsub?.idle();
  log.take(superuser);
  const calls: RecordedCall[] = [];
  for (const [name, server] of serversOf(cloud)) {
    server.intercept = ({ method, phase, request }) => {
      if (phase === 'before') calls.push({ call: `${name} ${method}`, request: asJson(request) });
    };
  }
  await work();
  await cloud.stack.pubsub?.idle();
  for (const [, server] of serversOf(cloud)) server.intercept = undefined;
  await written(cloud, log, 'the end');
  const statements = log.take(superuser);
  await set('RESET ALL');
  await cloud.query('postgres', 'SELECT pg_reload_conf()');
  return { calls, loans: loansOf(statements) };
}

/** Resolves when the log has what was sent so far. */
async function written(cloud: Cloud, log: StatementLog, where: string): Promise<void> {
  while (!log.has(where)) {
    await cloud.query('postgres', `SELECT '${where} of a recording'`);
    await delay(20);
  }
}

/** Drover acts as an admin in a transaction, or between two statements of their own. */
const sequences: readonly (readonly [first: RegExp, last: RegExp])[] = [
  [/^\s*BEGIN\b/, /^COMMIT$/],
  [/^SET ROLE\b/, /^RESET ROLE\b/],
];

function loansOf(statements: readonly { user: string; database: string; text: string }[]): RecordedLoan[] {
  const loans: { user: string; database: string; messages: string[] }[] = [];
  let until: RegExp | undefined;
  for (const { user, database, text } of statements) {
    if (until) loans.at(-1)?.messages.push(text);
    else loans.push({ user, database, messages: [text] });
    const last = until ?? sequences.find(([first]) => first.test(text))?.[1];
    until = last?.test(text) ? undefined : last;
  }
  return loans;
}

function asJson(request: object): Readonly<Record<string, unknown>> {
  const text = JSON.stringify(request, (_, value) =>
    value?.type === 'Buffer' ? Buffer.from(value.data).toString() : value,
  );
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
