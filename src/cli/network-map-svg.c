/* network-map-svg.c: the map as a drawing: networks are lines across, containers boxes above them
 * with a stalk to each network that they are on, published ports above the boxes. The box of one
 * that a network policy selects is dashed; below the networks is an arrow for whom it still talks
 * with. */
#include "cli/cells.h"
#include "cli/network-map.h"

#define LABEL_WIDTH 300 /* left of the networks' lines: pixels, as all that follows */
#define BOX_WIDTH 190
#define BOX_GAP 24
#define BOX_HEIGHT 46
#define LINE_GAP 64 /* between networks */
#define TEXT_HEIGHT 15
#define ARROW_GAP 20
#define ARROW_HEAD 8
#define MARGIN 24

static const char *const colours[] = { "#2563eb", "#059669", "#d97706", "#dc2626",
                                       "#7c3aed", "#0891b2", "#be185d", "#4d7c0f" };

typedef struct Drawing {
        const NetworkMap *map;
        Buf *out;
        size_t box_top, first_line, first_arrow, width, height;
} Drawing;

/* ---- words ---- */

static void add_xml(Buf *out, const char *text) {
        _cleanup_free_ char *valid = text_utf8(text);

        for (const char *c = valid; *c; c++) {
                switch (*c) {
                case '<':
                        buf_add_str(out, "&lt;");
                        break;
                case '>':
                        buf_add_str(out, "&gt;");
                        break;
                case '&':
                        buf_add_str(out, "&amp;");
                        break;
                case '"':
                        buf_add_str(out, "&quot;");
                        break;
                default: /* XML 1.0 has no control characters */
                        buf_add_char(out, (unsigned char)*c < ' ' || *c == 127 ? '?' : *c);
                        break;
                }
        }
}

static void add_text(Buf *out, size_t x, size_t y, const char *class, const char *text) {
        buf_format(out, "<text x=\"%zu\" y=\"%zu\" class=\"%s\">", x, y, class);
        add_xml(out, text);
        buf_add_str(out, "</text>\n");
}

/* Cut to what fits in so many characters of the drawing's font; the whole is the tooltip. */
static void add_short(Buf *out, size_t x, size_t y, const char *class, const char *text,
                      size_t cells) {
        _cleanup_buf_ Buf fit = {};

        cells_fit(&fit, text, MIN(cells_width(text), cells));
        buf_format(out, "<text x=\"%zu\" y=\"%zu\" class=\"%s\">", x, y, class);
        add_xml(out, fit.length ? fit.data : "");
        buf_add_str(out, "<title>");
        add_xml(out, text);
        buf_add_str(out, "</title></text>\n");
}

/* ---- places ---- */

static size_t box_left(size_t container) {
        return LABEL_WIDTH + container * (BOX_WIDTH + BOX_GAP);
}

static size_t line_of(const Drawing *drawing, size_t network) {
        return drawing->first_line + network * LINE_GAP;
}

static size_t most_ports(const NetworkMap *map) {
        size_t most = 0;

        for (size_t i = 0; i < map->container_count; i++)
                most = MAX(most, strv_length(map->containers[i].ports));
        return most;
}

static Drawing lay_out(const NetworkMap *map, Buf *out) {
        Drawing drawing = { .map = map, .out = out };

        drawing.box_top = MARGIN + (most_ports(map) + 1) * TEXT_HEIGHT;
        drawing.first_line = drawing.box_top + BOX_HEIGHT + LINE_GAP;
        drawing.width = box_left(map->container_count) + MARGIN;
        drawing.first_arrow = drawing.first_line + map->network_count * LINE_GAP + TEXT_HEIGHT;
        drawing.height = drawing.first_arrow + map->arrow_count * ARROW_GAP;
        return drawing;
}

/* ---- parts ---- */

static void draw_network(const Drawing *drawing, size_t number) {
        const MapNetwork *network = &drawing->map->networks[number];
        const char *colour = colours[number % ELEMENTS(colours)];
        const size_t y = line_of(drawing, number);
        _cleanup_free_ char *subnets = strv_join(network->subnets, ", ");
        _cleanup_free_ char *kind =
                str_format("%s%s%s%s", network->driver, *network->link ? " " : "", network->link,
                           network->internal ? ", internal" : "");

        buf_format(drawing->out,
                   "<line x1=\"%d\" y1=\"%zu\" x2=\"%zu\" y2=\"%zu\" stroke=\"%s\" "
                   "stroke-width=\"4\"%s/>\n",
                   MARGIN, y, drawing->width - MARGIN, y, colour,
                   network->internal ? " stroke-dasharray=\"10 5\"" : "");
        add_short(drawing->out, MARGIN, y - 8, "name", network->name, 34);
        add_short(drawing->out, MARGIN, y + 16, "small", kind, 42);
        add_short(drawing->out, MARGIN, y + 16 + TEXT_HEIGHT, "small", subnets ? subnets : "", 42);
}

/* The tooltip of a box that policies select. */
static void add_policies(Buf *out, const MapContainer *container) {
        _cleanup_free_ char *in = container->ingress ? strv_join(container->ingress, ", ") : NULL;
        _cleanup_free_ char *from = container->egress ? strv_join(container->egress, ", ") : NULL;

        if (!in && !from)
                return;
        buf_format(out, "<title>%s", in ? "ingress by " : "");
        add_xml(out, in ? in : "");
        buf_add_str(out, in && from ? "; egress by " : from ? "egress by " : "");
        add_xml(out, from ? from : "");
        buf_add_str(out, "</title>");
}

/* From under the middle of one box to under the middle of the other. */
static void draw_arrow(const Drawing *drawing, size_t number) {
        const MapArrow *arrow = &drawing->map->arrows[number];
        const size_t y = drawing->first_arrow + number * ARROW_GAP;
        const size_t from = box_left(arrow->from) + BOX_WIDTH / 2;
        const size_t to = box_left(arrow->to) + BOX_WIDTH / 2;
        const size_t head = to > from ? to - ARROW_HEAD : to + ARROW_HEAD;
        _cleanup_free_ char *text =
                str_format("%s → %s %s", drawing->map->containers[arrow->from].name,
                           drawing->map->containers[arrow->to].name, arrow->ports);

        add_short(drawing->out, MARGIN, y + 4, "port", text, 44);
        buf_format(drawing->out,
                   "<path d=\"M%zu %zuH%zuM%zu %zuL%zu %zuL%zu %zu\" class=\"arrow\"/>\n", from, y,
                   to, head, y - ARROW_HEAD / 2, to, y, head, y + ARROW_HEAD / 2);
}

static void draw_container(const Drawing *drawing, size_t number) {
        const MapContainer *container = &drawing->map->containers[number];
        const size_t x = box_left(number), count = strv_length(container->ports);

        buf_format(drawing->out,
                   "<rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\" rx=\"6\" "
                   "class=\"box%s\">",
                   x, drawing->box_top, BOX_WIDTH, BOX_HEIGHT,
                   container->ingress || container->egress ? " judged" : "");
        add_policies(drawing->out, container);
        buf_add_str(drawing->out, "</rect>\n");
        add_short(drawing->out, x + 10, drawing->box_top + 19, "name", container->name, 21);
        add_short(drawing->out, x + 10, drawing->box_top + 36, "small", container->image, 27);
        for (size_t i = 0; i < count; i++)
                add_short(drawing->out, x, drawing->box_top - 8 - (count - 1 - i) * TEXT_HEIGHT,
                          "port", container->ports[i], 30);
}

/* nth: of the networks that the container is on, so that stalks do not cover each other. */
static size_t stalk_x(const MapPlace *place, size_t nth) {
        return box_left(place->container) + 14 + nth * 12 % (BOX_WIDTH - 28);
}

static void draw_stalk(const Drawing *drawing, size_t network, const MapPlace *place, size_t nth) {
        const char *colour = colours[network % ELEMENTS(colours)];
        const size_t x = stalk_x(place, nth), y = line_of(drawing, network);

        buf_format(drawing->out,
                   "<line x1=\"%zu\" y1=\"%zu\" x2=\"%zu\" y2=\"%zu\" stroke=\"%s\" "
                   "stroke-width=\"2\"/>\n<circle cx=\"%zu\" cy=\"%zu\" r=\"5\" fill=\"%s\"/>\n",
                   x, drawing->box_top + BOX_HEIGHT, x, y, colour, x, y, colour);
}

static void draw_addresses(const Drawing *drawing, size_t network, const MapPlace *place,
                           size_t nth) {
        const size_t x = stalk_x(place, nth) + 9, y = line_of(drawing, network) + 16;

        add_text(drawing->out, x, y, "small", place->ipv4);
        add_text(drawing->out, x, *place->ipv4 ? y + TEXT_HEIGHT : y, "small", place->ipv6);
}

static void draw_places(const Drawing *drawing, void (*draw)(const Drawing *drawing, size_t network,
                                                             const MapPlace *place, size_t nth)) {
        size_t *counts = NEW_ARRAY(size_t, drawing->map->container_count + 1);

        for (size_t i = 0; i < drawing->map->network_count; i++) {
                const MapNetwork *network = &drawing->map->networks[i];

                for (size_t n = 0; n < network->place_count; n++) {
                        const MapPlace *place = &network->places[n];

                        draw(drawing, i, place, counts[place->container]++);
                }
        }
        free(counts);
}

void network_map_svg(const NetworkMap *map, Buf *out) {
        const Drawing drawing = lay_out(map, out);

        buf_format(out,
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
                   "viewBox=\"0 0 %zu %zu\" role=\"img\">\n<title>Networks and containers</title>\n"
                   "<style>text{font-family:ui-monospace,monospace;fill:#1f2937}"
                   ".name{font-size:14px;font-weight:bold}.small{font-size:11px;fill:#4b5563;"
                   "stroke:#ffffff;stroke-width:3px;paint-order:stroke}"
                   ".port{font-size:10px;fill:#1f2937}.box{fill:#f9fafb;stroke:#6b7280}"
                   ".judged{stroke:#b91c1c;stroke-width:2;stroke-dasharray:5 3}"
                   ".arrow{fill:none;stroke:#b91c1c;stroke-width:1.5}</style>\n"
                   "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
                   drawing.width, drawing.height, drawing.width, drawing.height);
        for (size_t i = 0; i < map->network_count; i++)
                draw_network(&drawing, i);
        draw_places(&drawing, draw_stalk);
        draw_places(&drawing, draw_addresses); /* over every stalk */
        for (size_t i = 0; i < map->container_count; i++)
                draw_container(&drawing, i);
        for (size_t i = 0; i < map->arrow_count; i++)
                draw_arrow(&drawing, i);
        buf_add_str(out, "</svg>\n");
}

void network_map_html(const NetworkMap *map, Buf *out) {
        buf_add_str(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                         "<title>brig network map</title>\n"
                         "<style>body{margin:0;font-family:system-ui,sans-serif}"
                         "h1{font-size:18px;margin:16px 24px}div{overflow:auto}</style></head>\n"
                         "<body><h1>Networks and containers</h1><div>\n");
        network_map_svg(map, out);
        buf_add_str(out, "</div></body></html>\n");
}
