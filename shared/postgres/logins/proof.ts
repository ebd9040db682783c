import { classify } from '../../operation/classify.ts';
import { OperationError } from '../../operation/errors.ts';
import type { Login } from '../pools.ts';
import { isServerError } from '../sqlstate.ts';
import type { LoginOptions, LoginScope } from './change.ts';
import { differencesOf, type LoginProfile, profilesQuery } from './profile.ts';
import { loginNotFound } from './refusals.ts';

export interface Proof {
  readonly credential: Login;
  /** The other login of the secret, which has to be able to do the same. */
  readonly twin: string | undefined;
  /** The role that it must have; undefined where nothing is demanded. */
  readonly role: string | undefined;
  /** Sessions of it act as that role. */
  readonly acts: boolean;
  /** A query that it must be able to run. */
  readonly probe: string | undefined;
}

const probeTimeoutMs = 10_000;

/**
 * Whether a credential logs in, by the way that the configuration says for everybody. Whatever else keeps a connection
 * from being made is thrown.
 */
export async function logsIn(
  { instance, database }: Pick<LoginScope, 'instance' | 'database'>,
  credential: Login,
  { pools, signal }: LoginOptions,
): Promise<boolean> {
  try {
    await pools.withConnection({ instance, database }, { signal, as: credential }, (client) =>
      client.query('SELECT 1'),
    );
    return true;
  } catch (error) {
    if (isRefusedLogin(error) && !signal.aborted) return false;
    throw error;
  }
}

/**
 * Proves a credential: logs in with it, compares what it may do with its twin, and runs the probe.
 *
 * @throws OperationError `PROOF_FAILED` where it doesn't log in, `LOGINS_DIFFER`, `LOGIN_NOT_FOUND` of its twin, `ROLE_MISSING`,
 *   `PROBE_FAILED`
 */
export async function prove(
  { instance, database, secret }: LoginScope,
  { credential, twin, role, acts, probe }: Proof,
  { pools, signal }: LoginOptions,
): Promise<void> {
  const { user } = credential;
  const names = twin === undefined ? [user] : [user, twin];
  try {
    await pools.withConnection({ instance, database }, { signal, as: credential }, async (client) => {
      const { rows } = await client.query(
        `SELECT current_user AS acting, (${profilesQuery(names).text}) AS profiles`,
      );
      const { acting, profiles } = rows[0] as { acting: string; profiles: LoginProfile[] };
      const own = profiles.find(({ name }) => name === user);
      const other = profiles.find(({ name }) => name === twin);
      if (own === undefined) throw new Error(`${user} logged in, and is no role`);
      if (role !== undefined && !(acts ? acting === role : own.uses.includes(role)))
        throw roleMissing(user, role, acts);
      if (twin !== undefined && other === undefined) throw loginNotFound(twin, secret);
      if (other) refuseDifferences(own, other);
      if (probe !== undefined) {
        await client.query('BEGIN READ ONLY');
        await client.query(`SET LOCAL statement_timeout = ${probeTimeoutMs}`);
        await runProbe(probe, user, (text) =>
          client.query({ text, values: [], queryMode: 'extended' } as never),
        );
        await client.query('ROLLBACK');
      }
    });
  } catch (error) {
    if (signal.aborted || !isRefusedLogin(error)) throw error;
    throw new OperationError(
      'PROOF_FAILED',
      `${user} can't log in with its new password: ${reasonOf(error)}`,
      {
        retryable: true,
        details: { login: user },
        cause: error,
      },
    );
  }
}

/** By PostgreSQL itself: Cloud SQL's API may refuse Drover's own credentials with the same code. */
function isRefusedLogin(error: unknown): boolean {
  const { code, cause } = classify(error);
  const refusal = isServerError(cause) ? cause : error;
  return code === 'AUTHENTICATION_FAILED' && isServerError(refusal);
}

async function runProbe(probe: string, user: string, run: (text: string) => Promise<unknown>): Promise<void> {
  try {
    await run(probe);
  } catch (error) {
    const { code, retryable, message } = classify(error);
    // It is the transaction that is read-only, and always will be.
    if (retryable && code !== 'READ_ONLY') throw error;
    throw new OperationError('PROBE_FAILED', `${user} can't run the secret's probe query: ${message}`, {
      details: { login: user },
    });
  }
}

/** The error of a new password that doesn't log in. */
export function doesNotLogIn(login: string, cause?: unknown): OperationError {
  const why = cause === undefined ? '' : `: ${reasonOf(cause)}`;
  return new OperationError('PROOF_FAILED', `${login} can't log in with its new password${why}`, {
    retryable: true,
    details: { login },
    cause,
  });
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}

const mostDifferences = 20;

/** @throws OperationError `LOGINS_DIFFER` */
export function refuseDifferences(own: LoginProfile, other: LoginProfile): void {
  const differences = differencesOf(own, other);
  if (differences.length === 0) return;
  const shown = differences.slice(0, mostDifferences);
  throw new OperationError(
    'LOGINS_DIFFER',
    `${own.name} and ${other.name} may not do the same, so an application can't change from one to the other: ${shown.join('; ')}. Make them alike, or take away what is too much.`,
    { details: { logins: [own.name, other.name], differences: shown } },
  );
}

function roleMissing(login: string, role: string, acts: boolean): OperationError {
  return new OperationError(
    'ROLE_MISSING',
    `${login} ${acts ? 'doesn’t act as' : 'hasn’t the rights of'} ${role}, as its secret says. Send the action create or adopt again, which grants it.`,
    { details: { login, role } },
  );
}
