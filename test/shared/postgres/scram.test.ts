import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scramVerifier } from '../../../shared/postgres/scram.ts';
import { connected, type PreparedCluster, run, startPrepared } from '../../support/postgres.ts';

let cluster: PreparedCluster;

beforeAll(async () => {
  cluster = await startPrepared();
  await run(cluster.superuserUrl(), 'CREATE ROLE app LOGIN');
});

afterAll(() => cluster.remove());

/** The example of RFC 7677, which gives what client and server send each other; the keys follow from its password and salt. */
const rfc7677 = { password: 'pencil', salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64') };

describe('a SCRAM verifier', () => {
  it('has the keys that follow from the example of RFC 7677', async () => {
    const verifier = await scramVerifier(rfc7677.password, rfc7677.salt);

    expect(verifier).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
  });

  it('is the one that PostgreSQL itself makes of the same password and salt', async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[\x21-\x7e]{1,64}$/), async (password) => {
        const stored = await connected(cluster.superuserUrl(), async (client) => {
          await client.query(`ALTER ROLE app PASSWORD ${client.escapeLiteral(password)}`);
          const { rows } = await client.query(`SELECT rolpassword FROM pg_authid WHERE rolname = 'app'`);
          return rows[0].rolpassword as string;
        });
        const salt = Buffer.from(stored.split(/[$:]/)[2] ?? '', 'base64');
        expect(await scramVerifier(password, salt)).toBe(stored);
      }),
      { numRuns: 50 },
    );
  });

  it('lets log in whoever knows the password, and nobody else', async () => {
    const verifier = await scramVerifier('correct-horse', randomBytes(16));
    await run(cluster.superuserUrl(), `ALTER ROLE app PASSWORD '${verifier}'`);

    const who = (password: string) =>
      connected(cluster.url('app', password, 'postgres'), async (client) => {
        const { rows } = await client.query('SELECT current_user AS who');
        return rows[0].who;
      });
    expect(await who('correct-horse')).toBe('app');
    await expect(who('wrong')).rejects.toMatchObject({ code: '28P01' });
    await expect(who(verifier)).rejects.toMatchObject({ code: '28P01' });
  });

  it.each(['', 'with space', 'grün', 'line\nbreak', '\u00ad'])('is not made of %j', async (password) => {
    await expect(scramVerifier(password, randomBytes(16))).rejects.toThrow(RangeError);
  });
});
