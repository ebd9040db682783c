import { expect } from 'vitest';
import { nextStep, type Observed, type Step } from '../../../shared/secrets/single-user.ts';

interface Version {
  readonly number: number;
  readonly password: string;
  readonly enabled: boolean;
}

/** What the secret says of itself. */
interface Secret {
  readonly versions: readonly Version[];
  readonly current: number | undefined;
  readonly movedBy: string | undefined;
  readonly etag: number;
}

/** Secret Manager and PostgreSQL, as far as a rotation has to do with them. */
export class World {
  secret: Secret = { versions: [], current: undefined, movedBy: undefined, etag: 0 };
  /** What the pending secret holds. */
  pending: string | undefined;
  /** The login's. */
  password = 'none';
  #passwords = 0;

  newPassword(): string {
    this.#passwords += 1;
    return `p${this.#passwords}`;
  }

  get current(): Version | undefined {
    return this.secret.versions.find(({ number, enabled }) => enabled && number === this.secret.current);
  }

  get latest(): Version | undefined {
    return this.secret.versions.at(-1);
  }

  get enabled(): Version[] {
    return this.secret.versions.filter(({ enabled }) => enabled);
  }

  /** Somebody writes a label. */
  touch(): void {
    this.secret = { ...this.secret, etag: this.secret.etag + 1 };
  }
}

type Pending = { readonly password: string; readonly trust: NonNullable<Observed['pending']>['trust'] };

/** More steps than a rotation may ever take. */
const mostSteps = 20;

/** One attempt of a rotation: it knows what it saw at its beginning and what it did itself. */
export class Attempt {
  readonly rotation: string;
  readonly #world: World;
  #seen: Secret;
  #pending: Pending | undefined;
  #steps = 0;

  constructor(world: World, rotation: string) {
    this.#world = world;
    this.rotation = rotation;
    this.#seen = world.secret;
    this.#pending = world.pending === undefined ? undefined : { password: world.pending, trust: 'unknown' };
  }

  next(): Step {
    const { versions, current, movedBy } = this.#seen;
    const enabled = versions.filter((version) => version.enabled);
    const published = enabled.findLast(({ password }) => password === this.#pending?.password);
    return nextStep(this.rotation, {
      enabled: enabled.map(({ number }) => number),
      current,
      movedBy,
      pending: this.#pending,
      published: published?.number,
    });
  }

  /** @returns whether it goes on */
  step(): boolean {
    const step = this.next();
    if (step.do === 'nothing') return false;
    this.#steps += 1;
    if (this.#steps === mostSteps) expect.fail('an attempt doesn’t end');
    this.#take(step);
    return true;
  }

  #take(step: Step): void {
    const world = this.#world;
    switch (step.do) {
      case 'write-pending':
        expect(world.pending).toBeUndefined();
        world.pending = world.newPassword();
        this.#pending = { password: world.pending, trust: 'broken' };
        return;
      case 'try-pending':
        this.#trust(world.password === this.#known().password ? 'works' : 'broken');
        return;
      case 'set-password':
        world.password = this.#known().password;
        this.#trust('works');
        return;
      case 'prove':
        expect(this.#known()).toEqual({ password: world.password, trust: 'works' });
        this.#trust('proven');
        return;
      case 'add-version': {
        const { password, trust } = this.#known();
        expect(trust).toBe('proven');
        const version = { number: world.secret.versions.length + 1, password, enabled: true };
        world.secret = { ...world.secret, versions: [...world.secret.versions, version] };
        this.#seen = { ...this.#seen, versions: world.secret.versions };
        return;
      }
      case 'move-aliases': {
        const { secret } = world;
        const { etag } = this.#seen;
        const moved = { ...secret, current: step.version, movedBy: this.rotation, etag: etag + 1 };
        if (secret.etag === etag) world.secret = moved;
        // Whether it was moved or somebody else was faster: this is how it is.
        this.#seen = world.secret;
        return;
      }
      case 'disable-version': {
        const versions = world.secret.versions.map((one) =>
          one.number === step.version ? { ...one, enabled: false } : one,
        );
        world.secret = { ...world.secret, versions };
        this.#seen = { ...this.#seen, versions };
        return;
      }
      case 'discard-pending':
        world.pending = undefined;
        this.#pending = undefined;
    }
  }

  #trust(trust: Pending['trust']): void {
    this.#pending = { password: this.#known().password, trust };
  }

  #known(): Pending {
    if (this.#pending === undefined) throw new Error('no password is pending');
    return this.#pending;
  }
}
