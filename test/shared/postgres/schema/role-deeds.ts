import fc from 'fast-check';
import {
  type Actor,
  anyActor,
  anyManaged,
  custom,
  type Deed,
  literal,
  type managed,
  of,
  verb,
  type World,
} from './deeds.ts';

const options = fc.constantFrom(
  '',
  'WITH ADMIN OPTION',
  'WITH INHERIT FALSE',
  'WITH INHERIT TRUE, SET FALSE',
  'WITH SET FALSE',
  'WITH ADMIN OPTION, INHERIT FALSE, SET FALSE',
);

const markers = fc.oneof(
  { weight: 12, arbitrary: fc.constant('ours') },
  { weight: 4, arbitrary: fc.constantFrom('none', 'text') },
  { weight: 1, arbitrary: fc.constantFrom('other', 'level') },
);

export const roleDeed = fc
  .record({
    role: anyManaged,
    by: fc.constantFrom<(Actor | 'superuser')[]>('acting', 'acting', 'acting', 'postgres', 'superuser'),
    attributes: fc.constantFrom(
      'NOLOGIN',
      'NOLOGIN',
      'NOLOGIN',
      'LOGIN',
      'NOLOGIN NOINHERIT',
      'NOLOGIN CREATEDB',
      'NOLOGIN CREATEROLE',
      'LOGIN NOINHERIT CREATEDB CREATEROLE',
      'NOLOGIN BYPASSRLS',
    ),
    marker: markers,
    member: fc.option(options, { nil: undefined, freq: 3 }),
  })
  .map(({ role, by, attributes, marker, member }): Deed[] => [
    {
      ...(by === 'superuser' ? {} : { as: by }),
      text: (world) => `CREATE ROLE ${of(role)(world)} ${attributes}`,
    },
    { text: (world) => `COMMENT ON ROLE ${of(role)(world)} IS ${comment(marker, role, world)}` },
    ...(member === undefined
      ? []
      : [{ text: (world: World) => `GRANT ${of(role)(world)} TO ${of('acting')(world)} ${member}` }]),
  ]);

function comment(marker: string, role: (typeof managed)[number], { database, schema }: World): string {
  const ofDatabase = role === 'monitor' || role === 'connect';
  const whose =
    marker === 'other' ? { database, schema: 'another' } : { database, ...(ofDatabase ? {} : { schema }) };
  if (marker === 'none') return 'NULL';
  if (marker === 'text') return literal('made by hand');
  const version = custom.some((name) => name === role) ? { version: 1, checksum: '0123456789abcdef' } : {};
  const level = marker === 'level' ? 'writer' : role;
  return literal(JSON.stringify({ managedBy: 'drover', ...whose, level, ...version }));
}

export const membershipDeed = fc
  .record({
    what: verb,
    role: fc.oneof(anyManaged, anyManaged, anyActor),
    member: anyActor,
    by: fc.option(anyActor),
    how: options,
  })
  .map(({ what, role, member, by, how }): Deed[] => [
    {
      ...(by === null ? {} : { as: by }),
      text: (world) =>
        what === 'GRANT'
          ? `GRANT ${of(role)(world)} TO ${of(member)(world)} ${how}`
          : `REVOKE ${of(role)(world)} FROM ${of(member)(world)} CASCADE`,
    },
  ]);

export const attributeDeed = fc
  .tuple(
    anyManaged,
    fc.constantFrom('LOGIN', 'NOINHERIT', 'CREATEDB', 'CREATEROLE', 'REPLICATION', 'SUPERUSER'),
  )
  .map(([role, attribute]): Deed[] => [{ text: (world) => `ALTER ROLE ${of(role)(world)} ${attribute}` }]);

export const markerDeed = fc
  .tuple(anyManaged, markers)
  .map(([role, marker]): Deed[] => [
    { text: (world) => `COMMENT ON ROLE ${of(role)(world)} IS ${comment(marker, role, world)}` },
  ]);
