import { status } from '@grpc/grpc-js';
import type { Micros } from '../clock.ts';
import { Outbox, type Publish } from '../outbox.ts';
import { failedPrecondition, notFound } from './errors.ts';
import { type Secret, toSecret } from './secret.ts';
import { toPacificTime } from './time.ts';
import { type SecretVersion, toVersion } from './version.ts';

export type SecretEvent = 'SECRET_CREATE' | 'SECRET_UPDATE' | 'SECRET_ROTATE';
export type VersionEvent =
  | 'SECRET_VERSION_ADD'
  | 'SECRET_VERSION_ENABLE'
  | 'SECRET_VERSION_DISABLE'
  | 'SECRET_VERSION_DESTROY';

/**
 * Tells a secret's topics what happened to it.
 *
 * @see https://cloud.google.com/secret-manager/docs/event-notifications
 */
export class Notifications {
  readonly #publish: Publish;
  readonly #outbox: Outbox;

  constructor(publish: Publish) {
    this.#publish = publish;
    this.#outbox = new Outbox(publish);
  }

  /**
   * Sends the test message that topics get before they are set on a secret.
   *
   * @throws NOT_FOUND, FAILED_PRECONDITION where one of them can't be published to
   */
  async test(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      try {
        await this.#publish(topic, Buffer.alloc(0), { eventType: 'TOPIC_CONFIGURED' });
      } catch (error) {
        if ((error as { code?: unknown }).code === status.NOT_FOUND)
          throw notFound(`Topic [${topic}] not found.`);
        throw failedPrecondition(
          `Permission 'pubsub.topics.publish' denied for pubsub topic: ${topic} or the topic doesn't exist. (${error})`,
        );
      }
    }
  }

  ofSecret(eventType: SecretEvent, secret: Secret, at: Micros): void {
    this.#send(secret, { eventType }, toSecret(secret), at);
  }

  /** @param secret as it was before */
  ofDeletion(secret: Secret, deleteType: 'REQUESTED' | 'EXPIRATION', at: Micros): void {
    this.#send(secret, { eventType: 'SECRET_DELETE', deleteType }, toSecret(secret), at);
  }

  ofVersion(eventType: VersionEvent, secret: Secret, version: SecretVersion, at: Micros): void {
    const resource = toVersion(version, secret.replication);
    this.#send(secret, { eventType, versionId: version.name }, resource, at);
  }

  /** Resolves when no notification is on its way. */
  idle(): Promise<void> {
    return this.#outbox.idle();
  }

  #send(secret: Secret, attributes: Readonly<Record<string, string>>, resource: object, at: Micros): void {
    const data = Buffer.from(JSON.stringify(resource));
    const all = {
      ...attributes,
      dataFormat: 'JSON_API_V1',
      secretId: secret.name,
      timestamp: toPacificTime(at),
    };
    for (const topic of secret.settings.topics) this.#outbox.send(topic, data, all);
  }
}
