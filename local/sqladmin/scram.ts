import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. */
export interface ScramLogin {
  readonly clientFirst: string;
  /** Answers the server's challenge. */
  clientFinal(serverFirst: string): string;
}

export function beginScram(password: string, nonce = randomBytes(18).toString('base64')): ScramLogin {
  // PostgreSQL takes the user's name from the startup message.
  const bare = `n=,r=${nonce}`;
  return {
    clientFirst: `n,,${bare}`,
    clientFinal(serverFirst) {
      const attributes = new Map(serverFirst.split(',').map((part) => [part.slice(0, 1), part.slice(2)]));
      const salt = Buffer.from(attributes.get('s') ?? '', 'base64');
      const saltedPassword = pbkdf2Sync(password, salt, Number(attributes.get('i')), 32, 'sha256');
      const clientKey = hmac(saltedPassword, 'Client Key');
      const withoutProof = `c=biws,r=${attributes.get('r')}`;
      const signature = hmac(
        createHash('sha256').update(clientKey).digest(),
        `${bare},${serverFirst},${withoutProof}`,
      );
      const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
      return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
    },
  };
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
