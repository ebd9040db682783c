import { config } from '../../../../shared/config.ts';
import type { CustomRole } from '../../../../shared/postgres/custom-role.ts';
import type { TenantRecord } from '../../../../shared/registry/tenants/model.ts';
import { loginsFor } from '../../../../shared/secrets/login-names.ts';
import type { Strategy } from '../../../../shared/secrets/managed.ts';
import { derivedOf, schemaOf, subjectOf } from '../derived.ts';
import type { CurrentState } from '../state.ts';
import type { Wanted, WantedSecret } from '../wanted.ts';
import { readTenantMessage, type Where } from '../where.ts';
import { compareGrants, refuseGrants } from './grants.ts';
import type { Compared, ComparedPart, Refusal } from './model.ts';
import { compareSchema, refuseSchema } from './schema.ts';
import { compareSecret, refuseSecret } from './secret.ts';
import { compareTenant, refuseTenant } from './tenant.ts';

/** What a manifest is held against. */
export interface Comparing {
  readonly where: Where;
  readonly state: CurrentState;
  readonly tenant: TenantRecord | undefined;
  /** What the generation before wanted, where all of that was done. */
  readonly former: readonly Wanted[];
  /** Of this machine, where no database says the time. */
  readonly now: Date;
  /** Keys of items that are held against nothing: whoever may not have them isn't told what there is of them. */
  readonly hidden?: ReadonlySet<string>;
}

/** Holds each item of a manifest against what is so: a pure function. */
export function compareAll(wanted: readonly Wanted[], comparing: Comparing): Compared[] {
  const made = madeBy(wanted, comparing.where);
  const formerSecrets = new Map(
    comparing.former.flatMap((one) => (one.kind === 'secret' ? [[one.key, one] as const] : [])),
  );
  return wanted.map((one) => {
    const about = subjectOf(one, comparing.where);
    if (comparing.hidden?.has(one.key))
      return { wanted: one, about, parts: [], refusals: [], expired: 0, notes: [] };
    return { wanted: one, about, ...compareOne(one, comparing, made, formerSecrets) };
  });
}

/** What a manifest itself makes, on which its other items may count. */
interface Made {
  readonly schemas: ReadonlySet<string>;
  readonly logins: ReadonlySet<string>;
  /** Custom roles, by schema. */
  readonly roles: ReadonlyMap<string | undefined, readonly CustomRole[]>;
}

function madeBy(wanted: readonly Wanted[], where: Where): Made {
  const roles = new Map<string | undefined, CustomRole[]>();
  for (const one of wanted) {
    if (one.kind !== 'grants') continue;
    const schema = schemaOf(one, where);
    roles.set(schema, [...(roles.get(schema) ?? []), ...one.customRoles]);
  }
  return {
    roles,
    schemas: new Set(wanted.flatMap((one) => (one.kind === 'schema' ? [one.schema] : []))),
    logins: new Set(wanted.flatMap((one) => (one.kind === 'secret' ? loginsOf(one) : []))),
  };
}

function loginsOf({ secret, message, inDatabase }: WantedSecret): string[] {
  return inDatabase ? loginsFor(secret, (message['strategy'] as Strategy | undefined) ?? 'two-user') : [];
}

function compareOne(
  wanted: Wanted,
  { where, state, tenant, now }: Comparing,
  made: Made,
  formerSecrets: ReadonlyMap<string, WantedSecret>,
): Omit<Compared, 'wanted' | 'about'> {
  const { catalog } = state;
  if (wanted.kind === 'grants') {
    const schema = schemaOf(wanted, where);
    const facts = { wanted, where, set: state.sets.get(schema), catalog };
    const time = catalog ? new Date(catalog.grants.found.now) : now;
    // The database's own roles are made with its first schema, and a tenant's with the tenant.
    const isMade = schema === undefined ? made.schemas.size > 0 : made.schemas.has(schema) || !where.exists;
    const soon = { isMade, roles: made.roles.get(schema) ?? [], logins: made.logins };
    return { ...compareGrants(facts, time), refusals: refuseGrants(facts, soon, time) };
  }
  const derived = derivedOf(wanted, where);
  const alone = (changes: readonly string[], refusals: readonly Refusal[] = []) => {
    const part: ComparedPart = {
      index: 0,
      derived: changes.length > 0 ? derived : undefined,
      whole: derived,
      changes,
    };
    return { parts: [part], refusals, expired: 0, notes: [] };
  };
  switch (wanted.kind) {
    case 'tenant': {
      const asked = [readTenantMessage(wanted), tenant, config()] as const;
      return alone(compareTenant(...asked), refuseTenant(...asked));
    }
    case 'schema':
      return alone(
        compareSchema(wanted, where, state.schemas.get(wanted.schema), catalog),
        refuseSchema(wanted, where, catalog),
      );
    case 'secret':
      return alone(
        compareSecret(wanted, where, state.secrets.get(wanted.secret), formerSecrets.get(wanted.key)),
        refuseSecret(wanted, where, state.secrets.get(wanted.secret)),
      );
  }
}
