import { openSecretPool, type SecretPool } from '../../docs/examples/reading-secrets/node.ts';
import { localProject, type Stack } from '../stack.ts';
import { secretManagerOf } from './secret-manager.ts';
import { type Step, target } from './step.ts';

const secret = 'billing-app';

/** As often as somebody watching wants it; five minutes are enough. */
const refreshMs = 100;

const workers = 20;

/** An application with a pool of 20 that writes invoices without pause, and what it has come to. */
interface Application {
  readonly logins: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
  /** Resolves when it has worked with so many logins. */
  usesLogins(count: number): Promise<void>;
  stop(): Promise<void>;
}

let application: Application | undefined;

const rotateSecret = (id: string, message: object): string[] => [
  'send',
  'rotate-secret',
  '--id',
  id,
  '--data',
  JSON.stringify({ secret, ...message }),
];

/** Credentials: made, changed under an application that doesn't notice, and tried. */
export const secretSteps: readonly Step[] = [
  {
    title: 'A credential for an application: two logins, and a secret that names one of them',
    does: rotateSecret('tour-23', {
      action: 'create',
      kind: 'postgres',
      target: target('app'),
      schema: 'billing',
      level: 'writer',
      policy: { everyDays: 30, jitterDays: 5 },
    }),
    expected: { state: 'succeeded' },
  },
  {
    title: 'The application works with it, 20 at a time, while its password changes under it',
    does: rotateSecret('tour-24', {}),
    before: async (stack) => {
      application = await startApplication(stack);
      await application.usesLogins(1);
    },
    expected: { state: 'succeeded' },
    after: async () => {
      await application?.usesLogins(2);
      await application?.stop();
      return showWork(application);
    },
  },
  {
    title: 'Again at once: refused, for the application may still use what would be changed',
    does: rotateSecret('tour-25', {}),
    expected: { state: 'failed', code: 'GRACE_PERIOD' },
  },
  {
    title: 'Every version that is enabled works',
    does: rotateSecret('tour-26', { action: 'verify' }),
    expected: { state: 'succeeded', changes: 0 },
  },
];

async function startApplication(stack: Stack): Promise<Application> {
  const secrets = secretManagerOf(stack);
  const version = `projects/${localProject}/secrets/${secret}/versions/current`;
  const pool = await openSecretPool({ secrets, version, refreshMs, pool: { max: workers, ssl: false } });
  const logins = new Map<string, number>();
  const failures: string[] = [];
  const watchers = new Set<() => void>();
  let stopped = false;
  const work = async () => {
    while (!stopped) {
      try {
        const login = await writeInvoice(pool);
        logins.set(login, (logins.get(login) ?? 0) + 1);
        for (const wake of watchers) wake();
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  const working = Array.from({ length: workers }, work);
  return {
    logins,
    failures,
    async usesLogins(count) {
      while (logins.size < count) {
        await new Promise<void>((resolve) => {
          watchers.add(resolve);
        });
        watchers.clear();
      }
    },
    async stop() {
      stopped = true;
      await Promise.all(working);
      await pool.close();
      await secrets.close();
    },
  };
}

async function writeInvoice(pool: SecretPool): Promise<string> {
  const text = 'INSERT INTO billing.invoice (amount) VALUES (1) RETURNING session_user AS login';
  const { rows } = await pool.query<{ login: string }>(text);
  return rows[0]?.login ?? '';
}

function showWork(done: Application | undefined): boolean {
  if (done === undefined) return false;
  const { logins, failures } = done;
  for (const [login, count] of logins) console.log(`      ${count} queries as ${login}`);
  console.log(
    `      ${failures.length} queries failed${failures[0] === undefined ? '' : `: ${failures[0]}`}`,
  );
  return failures.length === 0 && logins.size === 2;
}
