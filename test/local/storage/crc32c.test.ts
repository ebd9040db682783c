import { expect, test } from 'vitest';
import { crc32c, encodeCrc32c } from '../../../local/storage/crc32c.ts';

/** https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4 */
test.each([
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['ascending bytes', Buffer.from(Array.from({ length: 32 }, (_, n) => n)), 0x46dd794e],
  ['digits', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
])('the checksum of %s is the published one', (_, bytes, checksum) => {
  expect(crc32c(bytes)).toBe(checksum);
  expect(crc32c(bytes.subarray(5), crc32c(bytes.subarray(0, 5)))).toBe(checksum);
});

test('a checksum is written in base64, its highest byte first', () => {
  expect(encodeCrc32c(0x01020304)).toBe('AQIDBA==');
});
