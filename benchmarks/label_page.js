// What benchmarks/label_page.py measures inside the labelling page; every function answers with milliseconds.

(() => {
    const next = () => new Promise((resolve) => setTimeout(resolve));

    /**
     * The next frame: when it began, and when the browser was done with it, the canvases painted and not only told
     * what to paint.
     */
    const frame = () =>
        new Promise((resolve) =>
            requestAnimationFrame(() => {
                const began = performance.now();
                const { port1, port2 } = new MessageChannel();
                port1.onmessage = () => resolve({ began, done: performance.now() });
                port2.postMessage(null);
            }),
        );

    const key = (type, init) =>
        document.querySelector(".stage-host").dispatchEvent(
            new KeyboardEvent(type, { bubbles: true, cancelable: true, ...init }),
        );

    /** One act: the work of handling it and of the frame that shows it, and that with the wait for the frame. */
    const acted = async (act) => {
        await frame();
        await next();
        // Asked for before the act, so that it begins with the frame and not after the page's own drawing.
        const shown = frame();
        const start = performance.now();
        act();
        const handled = performance.now() - start;
        const { began, done } = await shown;
        return { work: handled + done - began, shown: done - start };
    };

    const repeated = async (times, act) => {
        const found = [];
        for (let turn = 0; turn < times; turn++) found.push(await acted(() => act(turn)));
        return found;
    };

    const stroke = (tool, points) => {
        const { editor } = dentasam;
        editor.beginStroke(tool, points[0]);
        for (const point of points.slice(1)) editor.extendStroke([point]);
        editor.endStroke();
    };

    let naive = null;
    const frames = [];
    let watching = false;

    window.measured = {
        opacity: (times) => repeated(times, (turn) => key("keydown", { key: turn % 20 < 10 ? "." : "," })),

        undo: (times) => repeated(times, () => dentasam.editor.undo()),

        /** Strokes of a brush across the image, as steps to undo. */
        strokes(count, size) {
            const { editor } = dentasam;
            editor.setActive(editor.objects[0].id);
            editor.setBrush({ size, mode: "overlap" });
            for (let index = 0; index < count; index++) {
                const y = (editor.height * (index + 1)) / (count + 1);
                const along = Array.from({ length: 21 }, (_, step) => [editor.width * (0.1 + 0.04 * step), y + (step % 3) * 9]);
                stroke(index % 4 === 3 ? "eraser" : "brush", along);
            }
        },

        /** Undo of one stroke through both rows of teeth, which takes from every one of them. */
        async takenBack(times, size) {
            const { editor } = dentasam;
            editor.setActive(editor.objects[0].id);
            editor.setBrush({ size, mode: "take" });
            const there = Array.from({ length: 200 }, (_, step) => [editor.width * (0.05 + 0.0045 * step), editor.height * 0.42]);
            const back = there.map(([x]) => [x, editor.height * 0.62]).reverse();
            const areas = new Map(editor.objects.map(({ id, area }) => [id, area]));
            stroke("brush", [...there, ...back]);
            const robbed = editor.objects.filter(({ id, area }) => area < areas.get(id)).length;
            const found = [];
            for (let turn = 0; turn < times; turn++) {
                found.push(await acted(() => editor.undo()));
                editor.redo();
                await dentasam.stage.drawn();
            }
            editor.setBrush({ mode: "overlap" });
            return { robbed, found };
        },

        /** Notes from now on what each frame costs in which the stage draws, and each event's handler. */
        watch() {
            const { timings } = dentasam.stage;
            timings.events.clear();
            timings.frames.clear();
            watching = true;
            frames.length = 0;
            const watchFrames = async () => {
                while (watching) {
                    const drawn = timings.frames.count;
                    const { began, done } = await frame();
                    if (timings.frames.count > drawn) frames.push(done - began);
                }
            };
            void watchFrames();
        },

        watched() {
            watching = false;
            return [dentasam.stage.timings.events.values(), frames];
        },

        /**
         * The peer: a dab into a whole-image mask, all masks blended into one picture, the picture put onto a canvas
         * of the image's size, for each event.
         */
        prepareNaive() {
            const { editor, stage } = dentasam;
            const { width, height } = editor;
            const masks = editor.objects.map(({ mask }) => {
                const whole = new Uint8Array(width * height);
                const { x, y, width: w, height: h, bits } = mask.snapshot();
                for (let row = 0; row < h; row++) whole.set(bits.subarray(row * w, (row + 1) * w), (y + row) * width + x);
                return whole;
            });
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [width, height];
            const context = canvas.getContext("2d");
            naive = { width, height, masks, context, picture: context.createImageData(width, height), pixels: stage.image.pixels };
        },

        /** One event of the peer, `share` of the way across. */
        naive(share, size) {
            const { width, height, masks, context, picture, pixels } = naive;
            const start = performance.now();
            const [cx, cy] = [width * (0.2 + 0.6 * share), height / 2];
            for (let y = Math.floor(cy - size / 2); y < cy + size / 2; y++)
                for (let x = Math.floor(cx - size / 2); x < cx + size / 2; x++)
                    if ((x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2 <= (size / 2) ** 2) masks[0][y * width + x] = 1;
            const { data } = picture;
            for (let index = 0; index < pixels.length; index++) {
                const value = pixels[index];
                data[4 * index] = data[4 * index + 1] = data[4 * index + 2] = value;
                data[4 * index + 3] = 255;
            }
            masks.forEach((mask, which) => {
                for (let index = 0; index < mask.length; index++) {
                    if (mask[index] === 0) continue;
                    data[4 * index] = (data[4 * index] * 3 + 2 * ((37 * which) % 256)) / 5;
                    data[4 * index + 1] = (data[4 * index + 1] * 3 + 2 * ((91 * which) % 256)) / 5;
                    data[4 * index + 2] = (data[4 * index + 2] * 3 + 2 * ((53 * which) % 256)) / 5;
                }
            });
            context.putImageData(picture, 0, 0);
            return performance.now() - start;
        },

        /** From the pressing of the pointer to the frame with the model's mask; to be called before the click. */
        click() {
            const { editor } = dentasam;
            window.clicked = new Promise((resolve) => {
                window.addEventListener(
                    "pointerdown",
                    () => {
                        const start = performance.now();
                        const clicks = editor.active?.prompts.clicks.length ?? 0;
                        const end = editor.subscribe(() => {
                            if ((editor.active?.prompts.clicks.length ?? 0) <= clicks) return;
                            end();
                            void frame().then(({ done }) => resolve(done - start));
                        });
                    },
                    { capture: true, once: true },
                );
            });
        },

        /** To the next case, or by `act` to another one: until its picture and masks are drawn. */
        async switched(act = () => key("keydown", { key: "PageDown" })) {
            const before = dentasam.editor;
            const start = performance.now();
            act();
            while (dentasam.editor === before || dentasam.stage.editor !== dentasam.editor) await next();
            await dentasam.stage.drawn();
            await next();
            return performance.now() - start;
        },
    };
})();
