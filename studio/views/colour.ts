/** Red, green, blue, each 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** A colour of OKLCH (Ottosson, 2020): lightness 0 to 1, chroma from 0, hue in degrees; out-of-gamut values are clipped. */
export function oklch(lightness: number, chroma: number, hueDegrees: number): Rgb {
  const hue = (hueDegrees * Math.PI) / 180;
  const a = chroma * Math.cos(hue);
  const b = chroma * Math.sin(hue);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function gamma(linear: number): number {
  const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, value)));
}

/** A table of 256 colours that goes through `stops`, evenly spaced. */
export function ramp(stops: readonly Rgb[]): readonly Rgb[] {
  return Array.from({ length: 256 }, (_, level): Rgb => {
    const position = (level / 255) * (stops.length - 1);
    const index = Math.min(stops.length - 2, Math.floor(position));
    const share = position - index;
    const [low, high] = [stops[index]!, stops[index + 1]!];
    const mixed = (channel: 0 | 1 | 2): number =>
      Math.round(low[channel] + share * (high[channel] - low[channel]));
    return [mixed(0), mixed(1), mixed(2)];
  });
}

/**
 * The colour of each code of a codebook: hues all around the circle, in an order that parts neighbours, so that one tile
 * looks unlike the next.
 */
export function codeColours(codebookSize: number, lightness: number, chroma: number): readonly Rgb[] {
  const goldenAngle = 137.50776;
  return Array.from({ length: codebookSize }, (_, code) =>
    oklch(lightness + 0.09 * Math.sin(code * 2.399), chroma, (code * goldenAngle) % 360),
  );
}
