import { type Clock, hour, type Micros } from '../clock.ts';
import type { Message } from '../grpc/server.ts';
import { Timestamp } from '../grpc/time.ts';
import { type KeyMaterial, newMaterial } from './cipher.ts';
import { failedPrecondition } from './errors.ts';

export type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROY_SCHEDULED' | 'DESTROYED';

/** How long a version can still be restored, for keys that don't say. */
export const destroyAfter: Micros = 30 * 24 * hour;

/** The only kind of key here. */
export const algorithm = {
  protectionLevel: 'SOFTWARE',
  algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
} as const;

/** A version of a key. */
export class KeyVersion {
  readonly name: string;
  readonly #clock: Clock;
  readonly #createTime: Micros;
  #state: VersionState = 'ENABLED';
  #destroyTime: Micros | undefined;
  readonly #material: KeyMaterial = newMaterial();

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
    this.#createTime = clock.next();
  }

  get state(): VersionState {
    if (this.#destroyTime !== undefined && this.#destroyTime <= this.#clock.now()) {
      this.#state = 'DESTROYED';
      this.#material.secret.fill(0);
    }
    return this.#state;
  }

  /** Whether a ciphertext that begins with this was made with it. */
  hasMaterial(id: Buffer): boolean {
    return this.#material.id.equals(id);
  }

  /** What it encrypts with. @throws FAILED_PRECONDITION unless it is enabled */
  requireMaterial(): KeyMaterial {
    this.requireEnabled();
    return this.#material;
  }

  /** @throws FAILED_PRECONDITION */
  requireEnabled(): void {
    if (this.state !== 'ENABLED') {
      throw failedPrecondition(`${this.name} is not enabled, current state is: ${this.#state}.`);
    }
  }

  /** @throws FAILED_PRECONDITION where it is being destroyed */
  setState(state: 'ENABLED' | 'DISABLED'): void {
    this.#requireAlive();
    this.#state = state;
  }

  /** @throws FAILED_PRECONDITION where that was said before */
  scheduleDestruction(): void {
    this.#requireAlive();
    this.#state = 'DESTROY_SCHEDULED';
    this.#destroyTime = this.#clock.now() + destroyAfter;
  }

  /** The google.cloud.kms.v1.CryptoKeyVersion. */
  toMessage(): Message {
    const { state } = this;
    const time = this.#destroyTime === undefined ? undefined : new Timestamp(this.#destroyTime);
    return {
      name: this.name,
      state,
      ...algorithm,
      createTime: new Timestamp(this.#createTime),
      generateTime: new Timestamp(this.#createTime),
      ...(time && (state === 'DESTROYED' ? { destroyEventTime: time } : { destroyTime: time })),
    };
  }

  #requireAlive(): void {
    if (this.state === 'ENABLED' || this.#state === 'DISABLED') return;
    throw failedPrecondition(
      `${this.name} is in state ${this.#state}, and has to be in one of ENABLED and DISABLED.`,
    );
  }
}
