import { Timestamp } from '@google-cloud/firestore';
import { desiredOf } from '../../../../functions/create-schema/message.ts';
import { roleOf } from '../../../../functions/grant-roles/message.ts';
import type { Catalog } from '../../../../functions/ingest-object/manifest/catalog.ts';
import { schemaOf } from '../../../../functions/ingest-object/manifest/derived.ts';
import type { CurrentState, SchemaDocument } from '../../../../functions/ingest-object/manifest/state.ts';
import type { Wanted, WantedGrants } from '../../../../functions/ingest-object/manifest/wanted.ts';
import type { Where } from '../../../../functions/ingest-object/manifest/where.ts';
import { rotateSecretMessage } from '../../../../functions/rotate-secret/message.ts';
import { checksumOf } from '../../../../shared/postgres/custom-role.ts';
import { indexGrants } from '../../../../shared/postgres/grants/found.ts';
import type { InspectedMembers, InspectedPrincipal } from '../../../../shared/postgres/grants/model.ts';
import { formatMarker, type Marker } from '../../../../shared/postgres/marker.ts';
import { actingAdmin, adminRole, roleName, schemaLevels } from '../../../../shared/postgres/names.ts';
import { merge } from '../../../../shared/registry/grants/merge.ts';
import { emptySet, type GrantSet } from '../../../../shared/registry/grants/model.ts';
import { settle } from '../../../../shared/registry/grants/outcome.ts';
import type { SecretRecord } from '../../../../shared/registry/secrets/model.ts';

/** By the databases of these tests. */
export const now = new Date('2026-03-01T10:00:00Z');

export const where: Where = {
  target: { instance: 'acme:europe-west1:main', database: 'app' },
  ownSchema: undefined,
  exists: true,
};

/** The world as it is once all of a list has been done: registry and catalog. */
export function appliedState(wanted: readonly Wanted[], at: Where = where): CurrentState {
  const { database } = at.target;
  const sets = new Map<string | undefined, GrantSet>();
  const schemas = new Map<string, SchemaDocument>();
  const secrets = new Map<string, SecretRecord>();
  const roles = new Map<string, Marker>();
  const members: InspectedMembers[] = [];
  const principals = new Set<string>();
  const mark = (schema: string | undefined, level: string, more: Partial<Marker> = {}) =>
    roles.set(roleName(database, schema, level), {
      managedBy: 'drover',
      database,
      ...(schema === undefined ? {} : { schema }),
      level,
      ...more,
    });
  const has = (schema: string | undefined, role: string, member: string) => {
    principals.add(member);
    const isOwner = role === 'owner';
    const how = { grantor: actingAdmin(database, schema), admin: false, inherit: !isOwner, set: isOwner };
    members.push({ ...how, role: roleName(database, schema, role), members: [member] });
    // The database is closed.
    const connect = { role: roleName(database, undefined, 'connect'), grantor: adminRole };
    if (isOwner) members.push({ ...how, ...connect, inherit: true, set: false, members: [member] });
  };
  mark(undefined, 'monitor');
  mark(undefined, 'connect');
  // A tenant's is made with it.
  for (const level of at.ownSchema === undefined ? [] : schemaLevels) mark(at.ownSchema, level);
  for (const one of wanted) {
    if (one.kind === 'schema') {
      const { schema, message } = one;
      const desired = desiredOf({ target: at.target, ...message });
      const wish = { operation: 'made', publishedAt: Timestamp.fromDate(now), desired };
      schemas.set(schema, { epoch: 2, appliedEpoch: 2, intents: [], applied: wish });
      for (const level of schemaLevels) mark(schema, level, level === 'owner' ? { epoch: 1 } : {});
      if (message.owner !== undefined) has(schema, 'owner', message.owner);
    }
    if (one.kind === 'grants') {
      const schema = schemaOf(one, at);
      sets.set(schema, granted(sets.get(schema) ?? emptySet({ ...at.target, schema: schema ?? null }), one));
      for (const role of one.customRoles) {
        mark(schema, role.name, { version: role.version, checksum: checksumOf(role) });
      }
      for (const grant of one.grants) has(schema, roleOf(grant), grant.principal);
    }
    if (one.kind === 'secret') secrets.set(one.secret, made(one, at));
  }
  const catalog: Catalog = {
    schemas: new Map([...schemas.keys()].map((name) => [name, roleName(database, name, 'owner')])),
    grants: indexGrants({
      serverVersion: 180000,
      now: now.toISOString(),
      roles: [...roles].map(([name, marker]) => ({ name, comment: formatMarker(marker) })),
      members,
      principals: [...principals].map(principal),
      cycles: [],
      unmarked: [],
    }),
  };
  return { catalog, schemas, sets, secrets };
}

function granted(before: GrantSet, wanted: WantedGrants): GrantSet {
  const operation = `granted-${before.epoch}`;
  const { mode, customRoles } = wanted;
  const grants = wanted.grants.map((grant) => ({
    principal: grant.principal,
    kind: grant.kind,
    role: roleOf(grant),
    ...(grant.expiresAt === undefined ? {} : { expiresAt: new Date(grant.expiresAt) }),
    ...(grant.reason === undefined ? {} : { reason: grant.reason }),
  }));
  const merged = merge(before, { mode, author: { operation, publishedAt: now }, grants, customRoles });
  const epoch = before.epoch + 1;
  return settle({ ...merged.set, epoch }, { operation, epoch }, { now, keepDays: 30 }).set;
}

function made({ message, inDatabase }: Extract<Wanted, { kind: 'secret' }>, { target }: Where): SecretRecord {
  const asked = rotateSecretMessage.parse({ ...message, ...(inDatabase ? { target } : {}) });
  return {
    secret: asked.secret,
    kind: asked.kind ?? 'random',
    strategy: inDatabase ? (asked.strategy ?? 'two-user') : null,
    instance: asked.target?.instance ?? null,
    database: asked.target?.database ?? null,
    schema: asked.schema ?? null,
    role: asked.level ?? asked.customRole ?? null,
    logins: [],
    graceMinutes: asked.grace ?? 1440,
    policy: asked.policy ?? null,
    epoch: 1,
    open: null,
    current: 1,
    previous: null,
    rotatedAt: now,
    retiredAt: null,
    nextRotation: null,
    nextRetirement: null,
    failures: 0,
    last: null,
    history: [],
  };
}

/** As the instance has it. */
export function principal(name: string): InspectedPrincipal {
  const iam = name.includes('@') ? ['cloudsqliamuser'] : [];
  return { name, login: true, privileged: false, writer: false, managed: false, iam, ownsElsewhere: false };
}
