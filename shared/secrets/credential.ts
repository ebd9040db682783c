import * as z from 'zod';
import { config, connectionFor } from '../config.ts';
import type { PostgresSecret } from './managed.ts';

/** What a secret of kind `postgres` holds, as JSON; other fields of an adopted one are kept. */
const schema = z.looseObject({
  engine: z.string().optional(),
  instance: z.string().optional(),
  host: z.string().optional(),
  port: z.coerce.number().int().min(1).max(65_535).optional(),
  database: z.string().optional(),
  username: z.string().min(1).max(63),
  password: z.string().min(1).max(1024),
});

/** A database login with its password, and the way to it. */
export type Credential = z.infer<typeof schema>;

/** What was read of a version: a credential, or why it is none; never its content. */
export type ReadCredential = { readonly credential: Credential } | { readonly problem: string };

/** Reads a version's value. */
export function readCredential(value: Buffer): ReadCredential {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value));
  } catch {
    return { problem: 'is not JSON' };
  }
  const { data, error } = schema.safeParse(parsed);
  if (data) return { credential: data };
  // The messages of zod have kinds and places, and no values.
  const problems = error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`);
  return { problem: `is not a credential (${problems.join('; ')})` };
}

/** As it is kept. Who reads it by hand sees the way first and the password last. */
export function formatCredential({
  engine,
  instance,
  host,
  port,
  database,
  username,
  password,
  ...others
}: Credential): Buffer {
  return Buffer.from(
    JSON.stringify({ engine, instance, host, port, database, ...others, username, password }),
  );
}

/**
 * A credential for a login of a secret.
 *
 * @param like one whose other fields are kept
 */
export function credentialFor(
  { instance, database }: Pick<PostgresSecret, 'instance' | 'database'>,
  login: { readonly username: string; readonly password: string },
  like?: Credential,
): Credential {
  const settings = connectionFor(instance, config().DROVER_INSTANCES);
  const way =
    settings?.connector === 'direct' ? { host: settings.host, port: settings.port } : { port: 5432 };
  return { engine: 'postgres', instance, ...way, database, ...like, ...login };
}

/**
 * Fields that hold the password beside the one that is its own, as it is or as a URL has it: a rotation would leave them
 * behind.
 */
export function copiesOfPassword({ password, ...others }: Credential): string[] {
  const written = [password, JSON.stringify(password).slice(1, -1)];
  return Object.entries(others).flatMap(([name, value]) => {
    const text = JSON.stringify(value) ?? '';
    return [text, withoutPercents(text)].some((one) => written.some((password) => one.includes(password)))
      ? [name]
      : [];
  });
}

function withoutPercents(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
}
