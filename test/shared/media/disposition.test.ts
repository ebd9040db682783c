import fc from 'fast-check';
import { expect, it } from 'vitest';
import { contentDisposition } from '../../../shared/media/disposition.ts';

it.each([
  ['a.jpg', `attachment; filename="a.jpg"; filename*=UTF-8''a.jpg`],
  ['', 'attachment'],
  ['Ä"\'();\\.jpg', `attachment; filename="___()__.jpg"; filename*=UTF-8''%C3%84%22%27%28%29%3B_.jpg`],
  ['a\r\nSet-Cookie: x', `attachment; filename="a__Set-Cookie_ x"; filename*=UTF-8''a__Set-Cookie%3A%20x`],
  ['a\u202egpj.exe', `attachment; filename="a_gpj.exe"; filename*=UTF-8''a_gpj.exe`],
  ['a\ud800', `attachment; filename="a_"; filename*=UTF-8''a%EF%BF%BD`],
])('%j is saved by its name', (name, header) => {
  expect(contentDisposition('attachment', name)).toBe(header);
});

it('a header says one name in both ways, whatever the name', () => {
  const name = fc.string({
    unit: fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      fc.constantFrom('*', '"', '\\', ';', "'", '%', '\r', '\n', '\ud800'),
    ),
    minLength: 1,
  });
  fc.assert(
    fc.property(name, (given) => {
      const [, plain = '', extended = ''] =
        /^inline; filename="([A-Za-z0-9 ._()-]+)"; filename\*=UTF-8''([A-Za-z0-9!~._%-]+)$/.exec(
          contentDisposition('inline', given),
        ) ?? [];
      expect(plain).not.toBe('');
      expect(decodeURIComponent(extended).replaceAll(/[^A-Za-z0-9 ._()-]/g, '_')).toBe(plain);
    }),
  );
});
