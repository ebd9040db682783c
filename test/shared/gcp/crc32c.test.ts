import { expect, test } from 'vitest';
import { crc32c } from '../../../shared/gcp/crc32c.ts';

const counting = Uint8Array.from({ length: 32 }, (_, index) => index);
// An iSCSI read command.
const command = Buffer.from(
  '01c000000000000000000000000000001400000000000400' + '000000140000001828000000000000000200000000000000',
  'hex',
);

test.for([
  ['no bytes', new Uint8Array(), 0],
  ['32 zeros', new Uint8Array(32), 0x8a91_36aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8_ab43],
  ['32 bytes that rise', counting, 0x46dd_794e],
  ['32 bytes that fall', counting.toReversed(), 0x113f_db5c],
  ['a command', command, 0xd996_3a56],
  ['text', Buffer.from('123456789'), 0xe306_9283],
] as const)('%s have the checksum of RFC 3720', ([, data, checksum]) => {
  expect(crc32c(data)).toBe(checksum);
});
