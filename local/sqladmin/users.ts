import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import { ApiError, notImplemented } from '../http/api-error.ts';
import { type Call, invalid, supportOnly, textOf } from './call.ts';
import { type InstanceHandler, partsOf, type SqlInstance, superuserUrlOf } from './instances.ts';
import type { Operations } from './operations.ts';
import { query, refusal } from './postgres.ts';

type IamType = 'CLOUD_IAM_USER' | 'CLOUD_IAM_SERVICE_ACCOUNT' | 'CLOUD_IAM_GROUP';

interface User {
  readonly name: string;
  readonly type: IamType | 'BUILT_IN';
}

/** Cloud SQL tells kinds of users by these roles: https://cloud.google.com/sql/docs/postgres/iam-authentication */
const groups: Readonly<Record<IamType, string>> = {
  CLOUD_IAM_USER: 'cloudsqliamuser',
  CLOUD_IAM_SERVICE_ACCOUNT: 'cloudsqliamserviceaccount',
  CLOUD_IAM_GROUP: 'cloudsqliamgroup',
};

/** Passwords of the logins that stand for IAM principals. */
export type IamPasswords = Map<string, string>;

/** https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/users */
export function userMethods(
  operations: Operations,
  passwordsOf: (instance: SqlInstance) => IamPasswords,
): Record<string, InstanceHandler> {
  return {
    async 'users.list'(_, instance) {
      const items = (await readUsers(instance)).map((user) => describe(user, instance));
      return { kind: 'sql#usersList', ...(items.length > 0 && { items }) };
    },

    async 'users.get'({ path }, instance) {
      return describe(await findUser(instance, path['name'] ?? ''), instance);
    },

    async 'users.insert'(call, instance) {
      const user = readUser(call);
      const existing = (await readUsers(instance)).find(({ name }) => name === user.name);
      // A user with a password who exists gets the new one; nothing else is taken over.
      const sameLogin = existing?.type === 'BUILT_IN' && user.type === 'BUILT_IN';
      if (existing !== undefined && !sameLogin) {
        throw invalid(
          `Database user '${user.name}' cannot be created because a user exists with the same name.`,
        );
      }
      const password = user.type === 'BUILT_IN' ? call.body['password'] : newPassword(instance);
      const statement = sameLogin
        ? `ALTER ROLE ${pg.escapeIdentifier(user.name)} ${passwordClause(password)}`
        : createStatement(user, password);
      return operations.begin(call, instance, 'CREATE_USER', async () => {
        await query(superuserUrlOf(instance), statement).catch((error: unknown) => {
          throw refusal(`failed to create user ${user.name}`, error);
        });
        if (user.type !== 'BUILT_IN') passwordsOf(instance).set(user.name, String(password));
      });
    },

    async 'users.delete'(call, instance) {
      const { name = '' } = call.query;
      await findUser(instance, name);
      return operations.begin(call, instance, 'DELETE_USER', async () => {
        await query(superuserUrlOf(instance), `DROP ROLE ${pg.escapeIdentifier(name)}`).catch(
          (error: unknown) => {
            throw refusal(`failed to delete user ${name}`, error);
          },
        );
        passwordsOf(instance).delete(name);
      });
    },
  };
}

/** Whoever can log in, however the role was made, and IAM groups; but not Cloud SQL's own roles. */
function readUsers(instance: SqlInstance): Promise<User[]> {
  return query<User>(
    superuserUrlOf(instance),
    `SELECT role.rolname AS name, coalesce(iam.type, 'BUILT_IN') AS type
       FROM pg_catalog.pg_roles role
       LEFT JOIN LATERAL (
              SELECT kind.type
                FROM pg_catalog.pg_auth_members membership
                JOIN pg_catalog.pg_roles parent ON parent.oid = membership.roleid
                JOIN unnest($1::text[], $2::text[]) AS kind (type, role) ON kind.role = parent.rolname
               WHERE membership.member = role.oid
               LIMIT 1
            ) iam ON true
      WHERE (role.rolcanlogin OR iam.type = 'CLOUD_IAM_GROUP')
        AND NOT role.rolsuper
        AND role.rolname !~ '^(pg_|cloudsql)'
      ORDER BY role.rolname`,
    [Object.keys(groups), Object.values(groups)],
  );
}

/** @throws ApiError 404 */
async function findUser(instance: SqlInstance, name: string): Promise<User> {
  const found = (await readUsers(instance)).find((user) => user.name === name);
  if (found) return found;
  throw new ApiError(404, 'userDoesNotExist', `The user ${name} does not exist.`);
}

function describe({ name, type }: User, instance: SqlInstance): Record<string, unknown> {
  const { project, id } = partsOf(instance.name);
  return {
    kind: 'sql#user',
    etag: createHash('sha256').update(`${instance.name}/${name}/${type}`).digest('hex'),
    name,
    host: '',
    instance: id,
    project,
    // The enumeration's first value is the one that JSON leaves out.
    ...(type !== 'BUILT_IN' && { type }),
  };
}

/** The user that users.insert is to make. @throws ApiError 400 in Cloud SQL's words */
function readUser(call: Call): User {
  supportOnly(call, ['kind', 'etag', 'name', 'type', 'password', 'host', 'instance', 'project']);
  const name = textOf(call.body, 'name');
  const { type = 'BUILT_IN', password, host } = call.body;
  if (type === 'BUILT_IN') return { name, type };
  if (!isIamType(type)) throw notImplemented(`a user of the type ${type}`);
  if (password !== undefined || (host !== undefined && host !== '')) {
    throw invalid('For IAM users, password or hostname should not be specified.');
  }
  if (type === 'CLOUD_IAM_SERVICE_ACCOUNT' && name.endsWith('.gserviceaccount.com')) {
    throw invalid(
      'Database username for Cloud IAM service account should be created without ".gserviceaccount.com" suffix.',
    );
  }
  if (!/^[^@\s]+@[^@\s]+$/.test(name)) {
    throw invalid(
      `Database user cannot be created. Provided Cloud IAM user account "${name}" is not in valid format. Please specify full email address`,
    );
  }
  return { name: name.toLowerCase(), type };
}

function isIamType(type: unknown): type is IamType {
  return typeof type === 'string' && Object.hasOwn(groups, type);
}

function createStatement({ name, type }: User, password: unknown): string {
  const role = `CREATE ROLE ${pg.escapeIdentifier(name)}`;
  switch (type) {
    case 'CLOUD_IAM_GROUP':
      return `${role} NOLOGIN IN ROLE ${groups[type]}`;
    case 'BUILT_IN':
      return `${role} LOGIN CREATEROLE CREATEDB ${passwordClause(password)} IN ROLE cloudsqlsuperuser`;
    default:
      return `${role} LOGIN ${passwordClause(password)} IN ROLE ${groups[type]}`;
  }
}

function passwordClause(password: unknown): string {
  return `PASSWORD ${typeof password === 'string' ? pg.escapeLiteral(password) : 'NULL'}`;
}

function newPassword({ loginPassword }: SqlInstance): string {
  return loginPassword ?? randomBytes(24).toString('base64');
}
