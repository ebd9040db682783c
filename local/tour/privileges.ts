import pg from 'pg';
import { localPassword } from '../postgres/cloudsql.ts';
import type { Stack } from '../stack.ts';

const attempts = {
  read: 'SELECT * FROM billing.invoice',
  write: 'INSERT INTO billing.invoice (amount) VALUES (1)',
  create: 'CREATE TABLE billing.scratch (id int)',
  drop: 'DROP TABLE billing.invoice',
} as const;

const expected: Record<string, string> = {
  owner: 'read write create drop',
  writer: 'read write',
  reader: 'read',
  analyst: 'read',
  nobody: '',
};

/** Dora makes a table as the owner; then each level tries what it may and what it may not. All is rolled back. */
export async function showPrivileges(stack: Stack): Promise<boolean> {
  const dora = new pg.Client({ connectionString: stack.cluster.url('dora', localPassword, 'app') });
  await dora.connect();
  await dora.query('SET ROLE app__billing__owner');
  await dora.query(
    'CREATE TABLE billing.invoice (id int GENERATED ALWAYS AS IDENTITY, amount numeric NOT NULL)',
  );
  await dora.end();

  const client = new pg.Client({ connectionString: stack.cluster.superuserUrl('app') });
  await client.connect();
  let asExpected = true;
  for (const [level, right] of Object.entries(expected)) {
    const can: string[] = [];
    for (const [name, statement] of Object.entries(attempts)) {
      await client.query('BEGIN');
      await client.query(
        level === 'nobody' ? 'SET LOCAL ROLE cloudsqliamuser' : `SET LOCAL ROLE app__billing__${level}`,
      );
      if (await succeeds(client, statement)) can.push(name);
      await client.query('ROLLBACK');
    }
    asExpected &&= can.join(' ') === right;
    console.log(`      ${level.padEnd(8)} can ${can.join(', ') || 'do nothing'}`);
  }
  await client.end();
  return asExpected;
}

async function succeeds(client: pg.Client, statement: string): Promise<boolean> {
  try {
    await client.query(statement);
    return true;
  } catch {
    return false;
  }
}
