import { createHash, createHmac, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';

/** As PostgreSQL's own `scram_iterations`. */
const iterations = 4096;

const keyBytes = 32;

const derive = promisify(pbkdf2);

/**
 * What PostgreSQL stores of a password, computed here: sent as the password, it is stored as it is, and the password
 * itself is never part of a statement.
 *
 * @param password of printable ASCII only, as Drover makes them: these are what they are under SASLprep
 * @param salt 16 random bytes; another one each time
 * @returns `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`
 * @throws RangeError where the password would have to be normalised first
 * @see RFC 5802 section 3, RFC 7677, and PostgreSQL's pg_authid
 */
export async function scramVerifier(password: string, salt: Buffer): Promise<string> {
  if (!/^[\x21-\x7e]+$/.test(password)) throw new RangeError('the password must be of printable ASCII');
  const salted = await derive(password, salt, iterations, keyBytes, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64');
  const serverKey = hmac(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
