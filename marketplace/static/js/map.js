// Maps of our own outlines: no tile, nothing asked of anybody else. Without this file the table below says the same.
"use strict";

const TONES = { plain: "#0059b3", act: "#a66300", bad: "#b3132f", good: "#00694a" };

function styleOf(feature) {
  const { tone = "plain", weight = 0 } = feature.properties ?? {};
  const colour = TONES[tone] ?? TONES.plain;
  return { color: colour, weight: 2, fillColor: colour, fillOpacity: Math.min(0.08 + 0.6 * weight, 0.7) };
}

// A circle in metres can be measured only on a map that looks somewhere already.
function somewhere(places) {
  let at = places.features[0]?.geometry.coordinates ?? [12.5, 42];
  while (Array.isArray(at[0])) at = at[0];
  return [at[1], at[0]];
}

async function draw(box) {
  const answer = await fetch(box.dataset.map, { headers: { Accept: "application/geo+json" } });
  if (!answer.ok) return;
  const places = await answer.json();
  box.hidden = false;
  const map = L.map(box, { scrollWheelZoom: false, attributionControl: false }).setView(somewhere(places), 14);
  const layer = L.geoJSON(places, {
    style: styleOf,
    pointToLayer: (feature, at) => {
      const { radius_m: metres, size = 7 } = feature.properties ?? {};
      return metres ? L.circle(at, { radius: metres, ...styleOf(feature) }) : L.circleMarker(at, { radius: size, ...styleOf(feature), fillOpacity: 0.7 });
    },
    onEachFeature: (feature, shape) => {
      const words = feature.properties?.label;
      if (words) shape.bindTooltip(document.createTextNode(words)).bindPopup(document.createTextNode(words));
    },
  }).addTo(map);
  if (layer.getBounds().isValid()) map.fitBounds(layer.getBounds(), { padding: [24, 24], maxZoom: 16, animate: false });
}

document.querySelectorAll("[data-map]").forEach(draw);
