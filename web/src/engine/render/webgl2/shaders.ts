import { DASH_SHARE } from "../renderer";

/** A quad over `u_box` (x, y, width, height in image pixels), placed by the view. */
export const QUAD = `#version 300 es
uniform vec4 u_box;
uniform vec3 u_view; // device pixels per image pixel, offset x, y
uniform vec2 u_canvas;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  vec2 place = (u_box.xy + corner * u_box.zw) * u_view.x + u_view.yz;
  gl_Position = vec4(2.0 * place.x / u_canvas.x - 1.0, 1.0 - 2.0 * place.y / u_canvas.y, 0.0, 1.0);
}`;

const HEAD = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform vec3 u_view;
uniform vec2 u_canvas;
out vec4 colour;
vec2 imagePoint() {
  return (vec2(gl_FragCoord.x, u_canvas.y - gl_FragCoord.y) - u_view.yz) / u_view.x;
}
`;

/**
 * Pixel values of full depth to brightness; bilinear on a level of the pyramid up to 100 %, nearest above. What is the
 * same for all pixels comes as a uniform: in software rendering each operation counts.
 */
export const PICTURE = `${HEAD}
uniform usampler2D u_pixels;
uniform int u_level;
uniform ivec2 u_last;  // the level's last pixel
uniform float u_shrink; // level pixels per image pixel
uniform bool u_smooth;
uniform vec2 u_window; // low, 1 / (high - low)
uniform float u_power; // 1 / gamma
uniform bool u_invert;
float at(ivec2 place) {
  return float(texelFetch(u_pixels, clamp(place, ivec2(0), u_last), u_level).r);
}
void main() {
  vec2 point = imagePoint() * u_shrink;
  float value;
  if (u_smooth) {
    vec2 shifted = point - 0.5;
    vec2 first = floor(shifted);
    vec2 part = shifted - first;
    ivec2 place = ivec2(first);
    value = mix(
      mix(at(place), at(place + ivec2(1, 0)), part.x),
      mix(at(place + ivec2(0, 1)), at(place + ivec2(1, 1)), part.x),
      part.y);
  } else {
    value = at(ivec2(floor(point)));
  }
  float bright = clamp((value - u_window.x) * u_window.y, 0.0, 1.0);
  if (u_power != 1.0) bright = pow(bright, u_power);
  colour = vec4(vec3(u_invert ? 1.0 - bright : bright), 1.0);
}`;

/** The picture as it was drawn last, copied where masks are drawn anew. */
export const COPY = `#version 300 es
precision highp float;
uniform sampler2D u_picture;
out vec4 colour;
void main() {
  colour = texelFetch(u_picture, ivec2(gl_FragCoord.xy), 0);
}`;

/**
 * One object: its inside, and within it a line of constant width on the screen, the outer part of which may be white.
 * The contour is that of the quadratic B-spline through the bits, as in `trace`. Premultiplied.
 */
export const MASK = `${HEAD}
uniform usampler2D u_mask;
uniform vec2 u_origin;
uniform ivec2 u_size; // of the box in image pixels
uniform int u_shift;  // a texel has 2^shift image pixels a side
uniform vec3 u_colour;
uniform vec2 u_alpha; // of the inside and of the outline
uniform float u_reach; // outline width in image pixels
uniform float u_rim;   // of it the white part
uniform float u_dash;  // from dash to dash in device pixels; 0: a solid line
float bit(ivec2 place) {
  if (any(lessThan(place, ivec2(0))) || any(greaterThanEqual(place, u_size))) return 0.0;
  return texelFetch(u_mask, place >> u_shift, 0).r != 0u ? 1.0 : 0.0;
}
float covered(vec2 point) {
  vec2 whole = floor(point);
  vec2 f = point - whole;
  ivec2 p = ivec2(whole);
  vec2 a = 0.5 * (1.0 - f) * (1.0 - f);
  vec2 c = 0.5 * f * f;
  vec2 b = 1.0 - a - c;
  float value =
    a.y * (a.x * bit(p + ivec2(-1, -1)) + b.x * bit(p + ivec2(0, -1)) + c.x * bit(p + ivec2(1, -1))) +
    b.y * (a.x * bit(p + ivec2(-1, 0)) + b.x * bit(p) + c.x * bit(p + ivec2(1, 0))) +
    c.y * (a.x * bit(p + ivec2(-1, 1)) + b.x * bit(p + ivec2(0, 1)) + c.x * bit(p + ivec2(1, 1)));
  if (value <= 0.0) return 0.0;
  if (value >= 1.0) return 1.0;
  float off = value - 0.5;
  float away = 1.0 - sqrt(max(0.0, 1.0 - 2.0 * abs(off)));
  return clamp(0.5 + sign(off) * away * max(0.5, u_view.x), 0.0, 1.0);
}
float depth(vec2 point, float r) {
  float d = r * 0.70710678;
  float least = min(min(covered(point + vec2(r, 0.0)), covered(point - vec2(r, 0.0))),
    min(covered(point + vec2(0.0, r)), covered(point - vec2(0.0, r))));
  if (least == 0.0) return 0.0;
  return min(least, min(min(covered(point + vec2(d, d)), covered(point - vec2(d, d))),
    min(covered(point + vec2(d, -d)), covered(point - vec2(d, -d)))));
}
bool isGap(vec2 point, float r) {
  float across = abs(covered(point + vec2(0.0, r)) - covered(point - vec2(0.0, r)));
  float down = abs(covered(point + vec2(r, 0.0)) - covered(point - vec2(r, 0.0)));
  vec2 along = (point + u_origin) * u_view.x;
  return fract((across > down ? along.x : along.y) / u_dash) >= ${DASH_SHARE};
}
void main() {
  vec2 point = imagePoint() - u_origin;
  float inside = covered(point);
  if (inside == 0.0) discard;
  float fill = u_alpha.x * inside;
  colour = vec4(u_colour * fill, fill);
  if (u_alpha.y > 0.0) {
    float edge = inside * (1.0 - depth(point, u_reach));
    if (edge > 0.0 && (u_dash == 0.0 || !isGap(point, u_reach))) {
      float white = u_rim > 0.0 ? min(1.0, inside * (1.0 - depth(point, u_rim)) / edge) : 0.0;
      float line = u_alpha.y * edge;
      colour = vec4(mix(u_colour, vec3(1.0), white) * line, line) + colour * (1.0 - line);
    }
  }
}`;
