import { config } from '../shared/config.ts';
import { serve } from './serve.ts';

/**
 * The entry of every deployed function: loads the one that FUNCTION_TARGET names, and nothing of the others.
 */
const target = config().FUNCTION_TARGET;
if (!/^[a-z][a-z-]*$/.test(target)) throw new Error(`FUNCTION_TARGET must name a function, not "${target}"`);
const { default: handler } = (await import(`./${target}/index.ts`)) as {
  default: (event: unknown) => Promise<void>;
};
await serve(target, handler);
