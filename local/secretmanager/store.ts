import { status } from '@grpc/grpc-js';
import type { Clock, Micros } from '../clock.ts';
import { GrpcError } from '../grpc/server.ts';
import { notFound } from './errors.ts';
import type { Names } from './names.ts';
import type { Notifications } from './notifications.ts';
import { afterRotation, type Rotation } from './rotation.ts';
import type { Secret } from './secret.ts';

/** All secrets, and what happens to them when its time has come. */
export class SecretStore {
  readonly clock: Clock;
  readonly names: Names;
  readonly notifications: Notifications;
  readonly #secrets = new Map<string, Secret>();

  constructor(clock: Clock, names: Names, notifications: Notifications) {
    this.clock = clock;
    this.names = names;
    this.notifications = notifications;
  }

  /** @throws NOT_FOUND also for a secret that has expired, whether the timer has noticed or not */
  find(id: string): Secret {
    this.#runDue(id);
    const secret = this.#secrets.get(id);
    if (secret === undefined) throw notFound(`Secret [${this.names.ofSecret(id)}] not found.`);
    return secret;
  }

  /** The secret created last comes first. */
  newestFirst(): Secret[] {
    this.runDue();
    return [...this.#secrets.values()].reverse();
  }

  /** @throws ALREADY_EXISTS */
  requireNone(id: string): void {
    this.#runDue(id);
    if (!this.#secrets.has(id)) return;
    throw new GrpcError(status.ALREADY_EXISTS, `Secret [${this.names.ofSecret(id)}] already exists.`);
  }

  add(secret: Secret): void {
    this.#secrets.set(secret.id, secret);
  }

  remove(secret: Secret, deleteType: 'REQUESTED' | 'EXPIRATION'): void {
    this.#secrets.delete(secret.id);
    this.notifications.ofDeletion(secret, deleteType, this.clock.next());
  }

  /** Gives a secret its next etag. @returns when it was changed */
  touch(secret: Secret): Micros {
    const at = this.clock.next();
    secret.etag = etagAt(at);
    return at;
  }

  /** Deletes what has expired and announces the rotations that are due. */
  runDue(): void {
    for (const id of [...this.#secrets.keys()]) this.#runDue(id);
  }

  /** One after the other as they fell due: time may have moved on far. */
  #runDue(id: string): void {
    for (;;) {
      const secret = this.#secrets.get(id);
      if (secret === undefined) return;
      const { expireTime = Number.POSITIVE_INFINITY, rotation } = secret.settings;
      const rotateTime = rotation?.next ?? Number.POSITIVE_INFINITY;
      if (Math.min(expireTime, rotateTime) > this.clock.now()) return;
      if (rotation && rotateTime < expireTime) this.#rotate(secret, rotation);
      else this.remove(secret, 'EXPIRATION');
    }
  }

  /** What is announced is the secret as it is afterwards, with the time of the rotation that comes next. */
  #rotate(secret: Secret, rotation: Rotation): void {
    secret.settings = { ...secret.settings, rotation: afterRotation(rotation) };
    this.notifications.ofSecret('SECRET_ROTATE', secret, this.touch(secret));
  }
}

/** As the service's look: the time of the change, with a digit before it. */
export function etagAt(at: Micros): string {
  return `"1${at.toString(16)}"`;
}
