import fc from 'fast-check';
import {
  type Actor,
  anyActor,
  change,
  type Deed,
  grantee,
  granteeOf,
  of,
  owners,
  quoted,
  verb,
  type World,
} from './deeds.ts';

const objects = {
  table: 'CREATE TABLE $ (a int, b text)',
  'partitioned table':
    'CREATE TABLE $ (a int) PARTITION BY LIST (a); CREATE TABLE $_1 PARTITION OF $ DEFAULT',
  serial: 'CREATE TABLE $ (a serial, b text)',
  identity: 'CREATE TABLE $ (a int GENERATED ALWAYS AS IDENTITY, b text)',
  view: 'CREATE VIEW $ AS SELECT 1 AS a',
  'materialized view': 'CREATE MATERIALIZED VIEW $ AS SELECT 1 AS a',
  sequence: 'CREATE SEQUENCE $',
  function: `CREATE FUNCTION $(a int, OUT b text) LANGUAGE sql RETURN 'x'`,
  procedure: `CREATE PROCEDURE $(INOUT a "char", b text[]) LANGUAGE sql BEGIN ATOMIC SELECT 'y'::"char"; END`,
  aggregate: 'CREATE AGGREGATE $(int) (sfunc = int4pl, stype = int)',
  'ordered-set aggregate':
    'CREATE AGGREGATE $(float8 ORDER BY anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra)',
  'aggregate of all': `CREATE AGGREGATE $(*) (sfunc = int8inc, stype = int8, initcond = '0')`,
  enum: `CREATE TYPE $ AS ENUM ('a')`,
  domain: 'CREATE DOMAIN $ AS int',
  composite: 'CREATE TYPE $ AS (a int)',
  range: 'CREATE TYPE $ AS RANGE (subtype = float8)',
} as const;
const kinds = Object.keys(objects) as (keyof typeof objects)[];
const objectNames = ['one', 'Two "three"'] as const;
const relations = ['table', 'view', 'sequence'];

const keywordOf = (kind: keyof typeof objects) =>
  kind === 'sequence'
    ? 'SEQUENCE'
    : /aggregate|function|procedure/.test(kind)
      ? 'ROUTINE'
      : ['enum', 'domain', 'composite', 'range'].includes(kind)
        ? 'TYPE'
        : 'TABLE';

const argumentsOf: Partial<Record<keyof typeof objects, string>> = {
  function: '(int)',
  procedure: '("char", text[])',
  aggregate: '(int)',
  'ordered-set aggregate': '(float8, anyelement)',
  'aggregate of all': '()',
};

const place = fc.constantFrom('inside', 'inside', 'inside', 'outside');
const anyObject = fc.record({
  kind: fc.constantFrom(...kinds),
  name: fc.constantFrom(...objectNames),
  place,
});
type AnyObject = typeof anyObject extends fc.Arbitrary<infer T> ? T : never;

const path = ({ kind, name, place }: Pick<AnyObject, 'kind' | 'name' | 'place'>, { schema }: World) =>
  `${quoted(place === 'inside' ? schema : 'outside')}.${quoted(`${kind} ${name}`)}`;

const privileges: Record<string, readonly string[]> = {
  TABLE: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'ALL'],
  SEQUENCE: ['SELECT', 'USAGE', 'UPDATE'],
  ROUTINE: ['EXECUTE'],
  TYPE: ['USAGE'],
};

const objectGrant = fc
  .record({
    what: verb,
    nth: fc.nat(7),
    column: fc.boolean(),
    who: grantee,
    by: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary: anyActor }),
    grantOption: fc.boolean(),
  })
  .map(({ what, nth, column, who, by, grantOption }) => (object: AnyObject): Deed => {
    const keyword = keywordOf(object.kind);
    const all = privileges[keyword] ?? [];
    const privilege = all[nth % all.length] ?? '';
    const columns = column && relations.some((kind) => object.kind.endsWith(kind)) ? ' (a)' : '';
    return {
      ...(by === undefined ? {} : { as: by }),
      text: (world) =>
        change(
          what,
          `${privilege}${keyword === 'TABLE' ? columns : ''}`,
          `${keyword} ${path(object, world)}${argumentsOf[object.kind] ?? ''}`,
          granteeOf(who, world),
          grantOption && who !== 'PUBLIC',
        ),
    };
  });

export const objectDeed = fc
  .tuple(anyObject, owners, fc.array(objectGrant, { maxLength: 3 }))
  .map(([object, owner, grants]): Deed[] => [
    {
      text: (world) => {
        const name = path(object, world);
        return objects[object.kind].replaceAll('$_1', `${name.slice(0, -1)} 1"`).replaceAll('$', () => name);
      },
    },
    {
      text: (world) =>
        `ALTER ${keywordOf(object.kind)} ${path(object, world)}${argumentsOf[object.kind] ?? ''} OWNER TO ${of(owner)(world)}`,
    },
    ...grants.map((grant) => grant(object)),
  ]);

export const allGrantDeed = fc
  .record({
    what: verb,
    keyword: fc.constantFrom('TABLE', 'SEQUENCE', 'ROUTINE'),
    nth: fc.nat(7),
    who: grantee,
  })
  .map(({ what, keyword, nth, who }): Deed[] => {
    const all = privileges[keyword] ?? [];
    return [
      {
        text: (world) =>
          change(
            what,
            all[nth % all.length] ?? '',
            `ALL ${keyword}S IN SCHEMA ${quoted(world.schema)}`,
            granteeOf(who, world),
            false,
          ),
      },
    ];
  });

export const schemaGrantDeed = fc
  .record({
    what: verb,
    privilege: fc.constantFrom('USAGE', 'CREATE', 'ALL'),
    who: grantee,
    by: fc.option(anyActor),
    grantOption: fc.boolean(),
  })
  .map(({ what, privilege, who, by, grantOption }): Deed[] => [
    {
      ...(by === null ? {} : { as: by }),
      text: (world) =>
        change(
          what,
          privilege,
          `SCHEMA ${quoted(world.schema)}`,
          granteeOf(who, world),
          grantOption && who !== 'PUBLIC',
        ),
    },
  ]);

export const defaultDeed = fc
  .record({
    what: verb,
    forRole: fc.constantFrom<Actor[]>('owner', 'owner', 'alice', 'postgres'),
    everywhere: fc.boolean(),
    keyword: fc.constantFrom('TABLE', 'SEQUENCE', 'ROUTINE', 'TYPE'),
    nth: fc.nat(7),
    who: grantee,
    grantOption: fc.boolean(),
  })
  .map(({ what, forRole, everywhere, keyword, nth, who, grantOption }): Deed[] => {
    const all = privileges[keyword] ?? [];
    const privilege = all[nth % all.length] ?? '';
    return [
      {
        text: (world) =>
          `ALTER DEFAULT PRIVILEGES FOR ROLE ${of(forRole)(world)} ${everywhere ? '' : `IN SCHEMA ${quoted(world.schema)}`} ` +
          change(what, privilege, `${keyword}S`, granteeOf(who, world), grantOption && who !== 'PUBLIC'),
      },
    ];
  });
