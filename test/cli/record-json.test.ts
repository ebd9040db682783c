import { Timestamp } from '@google-cloud/firestore';
import { expect, test } from 'vitest';
import { recordJson } from '../../cli/record-json.ts';

test('writes times in ISO 8601, bytes in base64, and keys in one order however they came', () => {
  const fields = {
    state: 'failed' as const,
    payload: { data: Buffer.from('hi'), attributes: [{ name: 'b', value: '1' }] },
    createdAt: Timestamp.fromMillis(0),
    function: 'create-schema',
  };
  const text = recordJson('abc', fields);
  expect(text).toBe(recordJson('abc', Object.fromEntries(Object.entries(fields).reverse())));
  expect(JSON.stringify(JSON.parse(text))).toBe(
    '{"id":"abc","function":"create-schema","state":"failed","createdAt":"1970-01-01T00:00:00.000Z",' +
      '"payload":{"attributes":[{"name":"b","value":"1"}],"data":"aGk="}}',
  );
});

test('no secret that got into an error gets out', () => {
  const details = { password: 'hunter2', url: 'postgresql://admin:hunter2@host/db', role: 'app' };
  const text = recordJson('abc', { error: { code: 'X', message: "PASSWORD 'hunter2'", details } });
  expect(text).not.toContain('hunter2');
  expect(text).toContain('"role": "app"');
});
