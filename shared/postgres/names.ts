import { createHash } from 'node:crypto';
import { maxIdentifierBytes } from './target.ts';

/** What a member of a schema's role may do, from all to little. */
export const schemaLevels = ['owner', 'writer', 'reader', 'analyst'] as const;

export type SchemaLevel = (typeof schemaLevels)[number];

/** Whether a level's role is a member of one of PostgreSQL's own: `analyst` of `pg_read_all_stats`, `monitor` of `pg_monitor`. */
export function isInPredefined(level: string): boolean {
  return level === 'analyst' || level === 'monitor';
}

/** Acting admins of an instance: see docs/architecture.md. */
export const adminShards = 64;

/** The role that holds what Drover may do in a database. The acting admins inherit it. */
export const adminRole = 'drover_admin';

/** The group of the logins of those functions that change things. */
export const writersRole = 'drover_writers';

const plainPart = /^[a-z0-9]+(?:_[a-z0-9]+)*$/;

/**
 * The name of a role that Drover makes: `{database}__{schema}__{level}`, or `{database}__{level}` for a database's.
 *
 * No two targets share one: a plain part has no double underscore, so `__` separates only; and where a part isn't plain
 * or the name too long, the name is a hash behind an underscore, with which no plain name begins.
 */
export function roleName(database: string, schema: string | undefined, level: string): string {
  const parts = schema === undefined ? [database, level] : [database, schema, level];
  const plain = parts.join('__');
  const reserved = /^(?:pg_|cloudsql|drover_)/.test(plain);
  if (!reserved && parts.every((part) => plainPart.test(part)) && plain.length <= maxIdentifierBytes)
    return plain;
  const key = schema === undefined ? [database] : [database, schema];
  return `_drover_${digest(JSON.stringify(key)).slice(0, 32)}_${level}`;
}

/**
 * The acting admin for a target. Each role an admin makes is a membership more that PostgreSQL walks when it makes
 * the next one, so they are spread. The instance has no part in it: a clone's roles keep their admin.
 */
export function actingAdmin(database: string, schema: string | undefined): string {
  const shard =
    Number.parseInt(digest(JSON.stringify([database, schema ?? null])).slice(0, 8), 16) % adminShards;
  return adminOfShard(shard);
}

function adminOfShard(shard: number): string {
  return `${adminRole}_${String(shard).padStart(2, '0')}`;
}

/** The holder of what Drover may do, and all who may ever have acted with it. */
export const droverAdmins: ReadonlySet<string> = new Set([
  adminRole,
  ...Array.from({ length: 100 }, (_, shard) => adminOfShard(shard)),
]);

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
