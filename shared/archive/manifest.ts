import * as z from 'zod';
import { OperationError } from '../operation/errors.ts';
import { phases } from './describe/order.ts';

/** Of the format that is written. What reads it understands this one and all before. */
export const formatVersion = 1;

export const manifestName = 'manifest.json';

const content = {
  /** Below the archive's prefix. */
  object: z.string(),
  bytes: z.number().int(),
  /** Base64 of the big-endian CRC32C of the object's bytes, as Cloud Storage shows it. */
  crc32c: z.string(),
};

/** Everybody, or a role of a schema by what it is called there: role names differ between databases. */
const grantee = z.union([z.literal('PUBLIC'), z.strictObject({ schema: z.string(), level: z.string() })]);

export type Grantee = z.infer<typeof grantee>;

const grants = z.strictObject({
  /** After which part of the definitions the objects are there; those on schemas come before all. */
  phase: z.enum(['schema', 'before-data', 'after-data']),
  on: z.enum(['SCHEMA', 'TABLE', 'SEQUENCE', 'ROUTINE', 'TYPE']),
  schema: z.string(),
  /** Qualified and quoted. */
  names: z.array(z.string()),
  column: z.string().optional(),
  to: z.array(z.strictObject({ grantee, privileges: z.array(z.string()), grantable: z.boolean() })),
});

export type Grants = z.infer<typeof grants>;

const policy = z.strictObject({
  schema: z.string(),
  table: z.string(),
  name: z.string(),
  permissive: z.boolean(),
  command: z.enum(['ALL', 'SELECT', 'INSERT', 'UPDATE', 'DELETE']),
  to: z.array(grantee),
  using: z.string().nullable(),
  check: z.string().nullable(),
  comment: z.string().nullable(),
});

export type Policy = z.infer<typeof policy>;

const manifest = z.object({
  format: z.literal('drover-archive'),
  formatVersion: z.literal(formatVersion),
  createdAt: z.iso.datetime(),
  source: z.object({
    instance: z.string(),
    database: z.string(),
    /** As in `server_version_num`. */
    serverVersion: z.number().int(),
    encoding: z.string(),
  }),
  /** What the caller says about it. */
  description: z.json(),
  schemas: z.array(
    z.object({ name: z.string(), comment: z.string().nullable(), levels: z.array(z.string()) }),
  ),
  extensions: z.array(z.object({ name: z.string(), version: z.string(), schema: z.string() })),
  /** To be run in this order, each as the owner of its schema. */
  definitions: z.array(z.object({ ...content, phase: z.enum(phases), schema: z.string() })),
  tables: z.array(
    z.object({
      ...content,
      schema: z.string(),
      table: z.string(),
      columns: z.array(z.string()),
      rows: z.number().int(),
    }),
  ),
  sequences: z.array(
    z.object({
      schema: z.string(),
      name: z.string(),
      /** A 64-bit integer. */
      lastValue: z.string().regex(/^-?\d+$/),
      isCalled: z.boolean(),
    }),
  ),
  grants: z.array(grants),
  policies: z.array(policy),
  /** What the archive doesn't have. */
  omitted: z.array(z.object({ object: z.string(), reason: z.string(), minor: z.boolean() })),
});

/** What an archive is made of: `manifest.json`, written last. See docs/archives.md. */
export type Manifest = z.infer<typeof manifest>;

export type ArchivedTable = Manifest['tables'][number];

/**
 * @param where it was read, for people
 * @throws OperationError `ARCHIVE_TOO_NEW`, `ARCHIVE_DAMAGED`
 */
export function parseManifest(text: string, where: string): Manifest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new OperationError('ARCHIVE_DAMAGED', `${where} is not JSON.`, { cause: error });
  }
  const version = parsed instanceof Object && 'formatVersion' in parsed ? parsed.formatVersion : undefined;
  if (typeof version === 'number' && version > formatVersion) {
    throw new OperationError(
      'ARCHIVE_TOO_NEW',
      `${where} has format ${version}; this version of Drover reads formats up to ${formatVersion}.`,
      { details: { formatVersion: version } },
    );
  }
  const result = manifest.safeParse(parsed);
  if (result.success) return result.data;
  throw new OperationError(
    'ARCHIVE_DAMAGED',
    `${where} is not the manifest of an archive: ${z.prettifyError(result.error)}`,
  );
}
