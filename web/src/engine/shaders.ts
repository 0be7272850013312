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
 * same for all pixels comes as a uniform: drawn in software, each operation is felt.
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

/** One object: its inside, and within it a line of constant width on the screen. Premultiplied. */
export const MASK = `${HEAD}
uniform usampler2D u_mask;
uniform vec2 u_origin;
uniform ivec2 u_size; // of the box in image pixels
uniform int u_shift;  // a texel has 2^shift image pixels a side
uniform vec4 u_inside;  // premultiplied colours
uniform vec4 u_edge;
uniform float u_reach; // outline width in image pixels
bool inside(vec2 point) {
  ivec2 place = ivec2(floor(point));
  if (any(lessThan(place, ivec2(0))) || any(greaterThanEqual(place, u_size))) return false;
  return texelFetch(u_mask, place >> u_shift, 0).r != 0u;
}
void main() {
  vec2 point = imagePoint() - u_origin;
  if (!inside(point)) discard;
  colour = u_inside;
  if (u_edge.a > u_inside.a) {
    float r = u_reach;
    float d = r * 0.7071;
    bool deep = inside(point + vec2(r, 0.0)) && inside(point - vec2(r, 0.0))
      && inside(point + vec2(0.0, r)) && inside(point - vec2(0.0, r))
      && inside(point + vec2(d, d)) && inside(point - vec2(d, d))
      && inside(point + vec2(d, -d)) && inside(point - vec2(d, -d));
    if (!deep) colour = u_edge;
  }
}`;
