import fc from 'fast-check';
import type { CustomRole } from '../../../../shared/postgres/custom-role.ts';
import type { DesiredSchema } from '../../../../shared/postgres/schema/model.ts';
import { type Actor, custom, type Deed, of, owners, quoted, type World } from './deeds.ts';
import { allGrantDeed, defaultDeed, objectDeed, schemaGrantDeed } from './object-deeds.ts';
import { attributeDeed, markerDeed, membershipDeed, roleDeed } from './role-deeds.ts';

export interface StartingState {
  /** In which of the laboratory's places. */
  readonly place: number;
  /** Whether the acting admin may pass predefined roles on, where it needs ADMIN for that. */
  readonly passesOn: boolean;
  /** What Drover made of the schema before. */
  readonly before: Wish | undefined;
  readonly deeds: readonly Deed[];
}

export type Wish = Omit<DesiredSchema, 'database' | 'schema' | 'owner'> & { readonly principal?: Actor };

const schemaDeed = fc.tuple(owners, fc.boolean()).map(([owner, existing]): Deed[] => [
  {
    text: (world) =>
      existing
        ? `ALTER SCHEMA ${quoted(world.schema)} OWNER TO ${of(owner)(world)}`
        : `CREATE SCHEMA ${quoted(world.schema)} AUTHORIZATION ${of(owner)(world)}`,
  },
]);

const similarDeed = fc.constant<Deed[]>([
  {
    text: ({ schema }) =>
      `CREATE SCHEMA ${quoted(schema === schema.toUpperCase() ? schema.toLowerCase() : schema.toUpperCase())}`,
  },
]);

const databaseDeed = fc
  .constantFrom(
    'REVOKE CONNECT ON DATABASE $ FROM PUBLIC',
    'REVOKE CONNECT, TEMPORARY ON DATABASE $ FROM PUBLIC',
    'REVOKE TEMPORARY ON DATABASE $ FROM PUBLIC',
    'GRANT CONNECT, TEMPORARY ON DATABASE $ TO drover_admin WITH GRANT OPTION',
    'GRANT CONNECT ON DATABASE $ TO drover_admin WITH GRANT OPTION',
    'GRANT CONNECT ON DATABASE $ TO drover_writers',
    'REVOKE CREATE ON DATABASE $ FROM drover_admin CASCADE',
    'ALTER DATABASE $ OWNER TO drover_admin',
    'ALTER DATABASE $ OWNER TO alice',
    'GRANT CREATE ON SCHEMA public TO PUBLIC',
  )
  .map((text): Deed[] => [{ text: ({ database }) => text.replace('$', () => quoted(database)) }]);

/** Predefined roles that every version has. */
export const nativeRoles = ['pg_monitor', 'pg_read_all_stats', 'pg_signal_backend'] as const;

const customRole: fc.Arbitrary<CustomRole> = fc.record({
  name: fc.constantFrom(...custom),
  version: fc.integer({ min: 1, max: 3 }),
  inherits: fc.subarray(['writer', 'reader', 'analyst']),
  privileges: fc.record({
    tables: fc.subarray(['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']),
    sequences: fc.subarray(['USAGE', 'SELECT', 'UPDATE']),
    routines: fc.subarray(['EXECUTE']),
  }),
  native: fc.subarray([...nativeRoles]),
});

export const wish: fc.Arbitrary<Wish> = fc.record(
  {
    levels: fc.subarray(['writer', 'reader', 'analyst'] as const),
    adopt: fc.constantFrom(true, true, true, false),
    customRoles: fc.uniqueArray(customRole, { maxLength: 2, selector: ({ name }) => name }),
    lockDatabase: fc.oneof(
      { weight: 3, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
    principal: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom<Actor[]>('alice', 'alice', 'bob', 'postgres') },
      { weight: 1, arbitrary: fc.constantFrom<Actor[]>('team', 'reader', 'acting') },
    ),
    comment: fc.constantFrom('', `it's ours`, 'x'),
  },
  { requiredKeys: ['levels', 'adopt', 'lockDatabase'] },
);

const some = (deeds: fc.Arbitrary<Deed[]>, maxLength: number) => fc.array(deeds, { maxLength });

/** Where cases take place: plain names, names that need a hash, and names that need quotes too. */
export const places = [
  { database: 'app', schema: 'billing' },
  { database: 'app_1', schema: '_x__Y' },
  { database: `it's "odd" 🐘`, schema: 'ORDERS' },
] as const;

/** As SQL with the roles by what they are, for whoever reads about a case that fails. */
function describe(state: StartingState): string {
  const { database, schema } = places[state.place] ?? places[0];
  const world: World = { database, schema, role: (actor) => actor };
  const deeds = state.deeds.map(
    ({ as, text }) => `${as === undefined ? '' : `SET ROLE ${as}; `}${text(world)}`,
  );
  return `${JSON.stringify({ place: state.place, passesOn: state.passesOn, before: state.before })}\n${deeds.join(';\n')}\n`;
}

/** Any state that a catalog may be found in. */
export const startingState: fc.Arbitrary<StartingState> = fc
  .record({
    place: fc.nat({ max: 2 }),
    passesOn: fc.boolean(),
    before: fc.option(wish, { nil: undefined }),
    deeds: fc
      .tuple(
        some(databaseDeed, 2),
        some(roleDeed, 3),
        some(fc.oneof({ weight: 4, arbitrary: schemaDeed }, { weight: 1, arbitrary: similarDeed }), 1),
        some(fc.oneof(attributeDeed, markerDeed), 1),
        some(objectDeed, 4),
        some(membershipDeed, 2),
        some(fc.oneof(allGrantDeed, schemaGrantDeed), 3),
        some(defaultDeed, 3),
      )
      .map((parts) => parts.flat(2)),
  })
  .map((state) => ({ ...state, [fc.toStringMethod]: () => describe(state) }));
