import { describe, expect, it, onTestFinished } from 'vitest';
import { formatEnvelope, parseEnvelope } from '../../../shared/api-keys/envelope.ts';
import { newApiKey } from '../../../shared/api-keys/key.ts';
import { open, seal } from '../../../shared/api-keys/seal.ts';
import { kmsClientOf, kmsKeyName, useKmsKey } from '../../support/kms.ts';

const kms = useKmsKey();

const key = newApiKey('acme');

/** The same envelope with parts of it changed. */
function changed(sealed: Buffer, change: object): Buffer {
  const envelope = parseEnvelope(sealed);
  if (envelope === undefined) throw new Error('it is no envelope');
  return formatEnvelope({ ...envelope, ...change });
}

describe('a sealed API key', () => {
  it('has nothing of the key, is another one each time, and is opened', async () => {
    const [one, two] = [await seal('acme', key), await seal('acme', key)];
    for (const sealed of [one, two]) {
      expect(sealed.toString()).not.toContain(key.slice(-43));
      expect(await open('acme', sealed)).toEqual({ key });
    }
    const [first, second] = [parseEnvelope(one), parseEnvelope(two)];
    expect(first?.dataKey.equals(second?.dataKey ?? Buffer.alloc(0))).toBe(false);
    expect(first?.kmsKey).toBe(kmsKeyName);
  });

  it('is opened after the key of Cloud KMS has got another version', async () => {
    const sealed = await seal('acme', key);
    const client = kmsClientOf(kms.server, 'acme');
    onTestFinished(() => client.close());
    await client.createCryptoKeyVersion({ parent: kmsKeyName });
    await client.updateCryptoKeyPrimaryVersion({ name: kmsKeyName, cryptoKeyVersionId: '2' });
    expect(await open('acme', sealed)).toEqual({ key });
    expect(await open('acme', await seal('acme', key))).toEqual({ key });
  });

  it('is no other tenant’s, whatever it says', async () => {
    const sealed = await seal('acme', key);
    expect(await open('beta', sealed)).toEqual({
      problem: 'holds the API key of another tenant',
      isUseless: true,
    });
    const passedOff = changed(sealed, { tenant: 'beta' });
    expect(await open('beta', passedOff)).toMatchObject({ problem: expect.stringMatching(/decrypted/) });
    // Each of the two ciphertexts is bound to the tenant by itself.
    const own = parseEnvelope(await seal('beta', newApiKey('beta')));
    const mixed = changed(sealed, { tenant: 'beta', dataKey: own?.dataKey });
    expect(await open('beta', mixed)).toMatchObject({ problem: expect.stringMatching(/decrypted/) });
    const other = await seal('beta', key);
    expect(await open('beta', other)).toMatchObject({ problem: expect.stringMatching(/no API key/) });
  });

  it('is not opened by a key of Cloud KMS that it brings along', async () => {
    const foreign = kms.server.createKey(`${kmsKeyName}-of-somebody`);
    kms.configure(foreign);
    const sealed = await seal('acme', key);
    kms.configure(kmsKeyName);
    let calls = 0;
    kms.server.intercept = () => {
      calls += 1;
    };
    expect(await open('acme', sealed)).toEqual({
      problem: 'was encrypted by another key than DROVER_KMS_KEY',
      isUseless: false,
    });
    expect(calls).toBe(0);
    const passedOff = changed(sealed, { kmsKey: kmsKeyName });
    expect(await open('acme', passedOff)).toMatchObject({ problem: expect.stringMatching(/decrypted/) });
  });

  it.each(['', 'rubbish', '{}', 'null', key])('is not %j', async (text) => {
    const opened = await open('acme', Buffer.from(text));
    expect(opened).toEqual({ problem: 'holds no encrypted API key', isUseless: true });
  });
});
