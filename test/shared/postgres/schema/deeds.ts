import fc from 'fast-check';
import { identifier, sql } from '../../../../shared/postgres/sql.ts';

/** Roles by what they are; the world of a case gives them their names. */
const levels = ['owner', 'writer', 'reader', 'analyst'] as const;
export const custom = ['support', 'audit'] as const;
export const managed = [...levels, ...custom, 'monitor', 'connect'] as const;
const outsiders = ['alice', 'bob', 'team', 'postgres', 'drover_admin'] as const;
export type Actor = (typeof managed)[number] | (typeof outsiders)[number] | 'acting';

/** A statement that somebody once ran; where it can't be run, it never was. */
export interface Deed {
  readonly as?: Actor;
  readonly text: (world: World) => string;
}

/** The names of one case. */
export interface World {
  readonly database: string;
  readonly schema: string;
  readonly role: (actor: Actor) => string;
}

export const quoted = (name: string) => identifier(name).text;
export const literal = (text: string) => sql`${text}`.text;
export const of =
  (actor: Actor) =>
  ({ role }: World) =>
    quoted(role(actor));

const anyOfSchema = fc.constantFrom(...levels, ...custom);
export const anyManaged = fc.constantFrom(...managed);
const anyOutsider = fc.constantFrom(...outsiders);
export const anyActor = fc.oneof(anyManaged, anyOutsider, fc.constant('acting' as const));
export const owners = fc.constantFrom<Actor[]>(
  'postgres',
  'drover_admin',
  'drover_admin',
  'alice',
  'owner',
  'owner',
  'reader',
);

export const verb = fc.constantFrom('GRANT', 'GRANT', 'REVOKE');
export const grantee = fc.oneof(anyOfSchema, anyOfSchema, anyActor, fc.constant('PUBLIC' as const));
export const granteeOf = (to: Actor | 'PUBLIC', world: World) => (to === 'PUBLIC' ? to : of(to)(world));
export const change = (what: string, privilege: string, on: string, who: string, grantOption: boolean) =>
  what === 'GRANT'
    ? `GRANT ${privilege} ON ${on} TO ${who}${grantOption ? ' WITH GRANT OPTION' : ''}`
    : `REVOKE ${privilege} ON ${on} FROM ${who} CASCADE`;
