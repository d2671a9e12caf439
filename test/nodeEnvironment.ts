import { TestEnvironment } from 'jest-environment-node';

/**
 * jest runs tests in a VM context with typed arrays of its own, while native addons hand out those of the main context.
 * Sharing the constructors keeps `instanceof` true on both sides.
 */
export default class NativeArraysEnvironment extends TestEnvironment {
  constructor(...args: ConstructorParameters<typeof TestEnvironment>) {
    super(...args);
    Object.assign(this.global, {
      Float32Array,
      Float64Array,
      Int8Array,
      Int16Array,
      Int32Array,
      Uint8Array,
      Uint16Array,
      Uint32Array,
      BigInt64Array,
      BigUint64Array,
      ArrayBuffer,
    });
  }
}
