import pg from 'pg';
import { ApiError, notImplemented } from '../http/api-error.ts';
import { invalid, supportOnly, textOf } from './call.ts';
import { type InstanceHandler, partsOf, type SqlInstance, superuserUrlOf } from './instances.ts';
import type { Operations } from './operations.ts';
import { query, refusal } from './postgres.ts';

interface Database {
  readonly name: string;
  readonly charset: string;
  readonly collation: string;
}

/** https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/databases */
export function databaseMethods(operations: Operations): Record<string, InstanceHandler> {
  return {
    async 'databases.list'(_, instance) {
      const items = (await readDatabases(instance)).map((database) => describe(database, instance));
      return { kind: 'sql#databasesList', ...(items.length > 0 && { items }) };
    },

    async 'databases.get'({ path }, instance) {
      return describe(await findDatabase(instance, path['database'] ?? ''), instance);
    },

    async 'databases.insert'(call, instance) {
      supportOnly(call, ['kind', 'etag', 'name', 'charset', 'instance', 'project']);
      const name = textOf(call.body, 'name');
      const { charset = 'UTF8' } = call.body;
      if (charset !== 'UTF8') throw notImplemented(`the charset ${charset}`);
      if ((await readDatabases(instance)).some((database) => database.name === name)) {
        throw invalid(`failed to create database ${name}. Detail: pq: database "${name}" already exists.`);
      }
      const statement = `CREATE DATABASE ${pg.escapeIdentifier(name)} OWNER cloudsqlsuperuser`;
      return operations.begin(call, instance, 'CREATE_DATABASE', async () => {
        await query(superuserUrlOf(instance), statement).catch((error: unknown) => {
          throw refusal(`failed to create database ${name}`, error);
        });
      });
    },

    async 'databases.delete'(call, instance) {
      const { name } = await findDatabase(instance, call.path['database'] ?? '');
      return operations.begin(call, instance, 'DELETE_DATABASE', async () => {
        await query(superuserUrlOf(instance), `DROP DATABASE ${pg.escapeIdentifier(name)}`).catch(
          (error: unknown) => {
            throw refusal(`failed to delete database ${name}`, error);
          },
        );
      });
    },
  };
}

/** All but the server's own. */
function readDatabases(instance: SqlInstance): Promise<Database[]> {
  return query<Database>(
    superuserUrlOf(instance),
    `SELECT datname AS name, pg_catalog.pg_encoding_to_char(encoding) AS charset, datcollate AS collation
       FROM pg_catalog.pg_database
      WHERE NOT datistemplate AND datname <> 'cloudsqladmin'
      ORDER BY datname`,
  );
}

/** @throws ApiError 404 */
async function findDatabase(instance: SqlInstance, name: string): Promise<Database> {
  const found = (await readDatabases(instance)).find((database) => database.name === name);
  if (found) return found;
  throw new ApiError(404, 'databaseDoesNotExist', `The database ${name} does not exist.`);
}

function describe({ name, charset, collation }: Database, instance: SqlInstance): Record<string, unknown> {
  const { project, id } = partsOf(instance.name);
  return { kind: 'sql#database', charset, collation, name, instance: id, project };
}
