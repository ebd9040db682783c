import { expect, it } from 'vitest';
import { rotateSecretMessage } from '../../../functions/rotate-secret/message.ts';
import { adaptNotification } from '../../../functions/rotate-secret/notification.ts';

const attributes = {
  eventType: 'SECRET_ROTATE',
  dataFormat: 'JSON_API_V1',
  secretId: 'projects/123456789012/secrets/app-billing',
  timestamp: '2026-03-01T02:00:00.000000-08:00',
};

function messageOf(given: Record<string, string>): unknown {
  const adapted = adaptNotification({ attributes: given });
  return adapted && 'data' in adapted ? JSON.parse(adapted.data.toString()) : adapted;
}

it('that a rotation is due is a message about that secret, as from a schedule', () => {
  const message = messageOf(attributes);
  expect(message).toEqual({ secret: 'app-billing', scheduled: true });
  expect(rotateSecretMessage.parse(message)).toMatchObject({ action: 'rotate', force: false });
});

it.each([
  'TOPIC_CONFIGURED',
  'SECRET_CREATE',
  'SECRET_UPDATE',
  'SECRET_DELETE',
  'SECRET_VERSION_ADD',
  'SECRET_VERSION_ENABLE',
  'SECRET_VERSION_DISABLE',
  'SECRET_VERSION_DESTROY',
  'SECRET_VERSION_DESTROY_SCHEDULED',
  'SECRET_ROTATED',
  '',
])('that %s happened asks for nothing, and says so', (eventType) => {
  expect(adaptNotification({ attributes: { ...attributes, eventType } })).toEqual({
    ignore: expect.stringContaining(eventType),
  });
});

it('a topic that was configured names no secret and asks for nothing', () => {
  const { secretId: _, ...rest } = attributes;
  expect(adaptNotification({ attributes: { ...rest, eventType: 'TOPIC_CONFIGURED' } })).toHaveProperty(
    'ignore',
  );
});

it('a message of Drover’s own is taken as it is', () => {
  expect(adaptNotification({ attributes: { 'operation-id': 'one' } })).toBeUndefined();
  expect(adaptNotification({ attributes: {} })).toBeUndefined();
});

it.each([undefined, '', 'projects/123/secrets/', 'projects/123/secrets/a b', 'projects/123/secrets/x/'])(
  'one that names no secret (%j) becomes a message that is refused at its place',
  (secretId) => {
    const { secretId: _, ...rest } = attributes;
    const parsed = rotateSecretMessage.safeParse(
      messageOf(secretId === undefined ? rest : { ...rest, secretId }),
    );
    expect(parsed.error?.issues.map(({ path }) => path)).toEqual([['secret']]);
  },
);
