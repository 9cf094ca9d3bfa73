"""Categories and article names of the Chinese supermarket preset.

Every name is made of common nouns, qualities and sizes; none is a company's or a brand's.
Shares, prices, margins, cases and shelf lives are assumed, of the size usual in the trade.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.columns import frozen
from policies.domain.goods import Skus
from policies.domain.identifiers import make_gtin14


@dataclass(frozen=True)
class Category:
    """One category.

    Attributes
    ----------
    name : str
    sku_share : float, share of the chain's SKUs
    line_share : float, share of its receipt lines
    fresh : bool, sold within days
    price_fen : (low, high), unit price
    margin : float, share of the price
    packs : tuple of int, cases a store orders
    mass_g, volume_cm3 : (low, high) of one unit
    shelf_life_days : int, 0 = does not expire
    lead_days : int, promised lead time of the supplier
    festival_lift : float, demand at the height of the shopping for the Spring Festival
    nouns, qualities, sizes : words of the names
    """

    name: str
    sku_share: float
    line_share: float
    fresh: bool
    price_fen: tuple[int, int]
    margin: float
    packs: tuple[int, ...]
    mass_g: tuple[int, int]
    volume_cm3: tuple[int, int]
    shelf_life_days: int
    lead_days: int
    festival_lift: float
    nouns: str
    qualities: str
    sizes: str


FRESH_SIZES = "300克 400克 500克 家庭装 小份"
DRY_QUALITIES = "经典 精选 家庭装 优选 特惠装 浓香 清香 原味 轻享 农家"
CATEGORIES = (
    Category("蔬菜", 0.07, 0.19, True, (199, 1290), 0.28, (6, 8, 10), (250, 600), (600, 2500), 3,
             1, 1.1,
             "上海青 菠菜 生菜 西兰花 番茄 黄瓜 土豆 胡萝卜 白萝卜 茄子 青椒 大白菜 芹菜 莲藕",
             "本地 有机 精选 净菜 农家 高山", FRESH_SIZES),
    Category("水果", 0.05, 0.10, True, (590, 4990), 0.30, (4, 6, 8), (400, 2500), (900, 5000), 7,
             1, 1.5, "苹果 香蕉 橙子 砂糖橘 梨 葡萄 草莓 猕猴桃 火龙果 西瓜 蓝莓 柚子",
             "脆甜 有机 精选 当季 高山 礼盒", "500克 1千克 2千克 4个装 礼盒装"),
    Category("肉禽", 0.05, 0.08, True, (990, 6990), 0.22, (4, 6), (250, 900), (400, 1500), 4,
             1, 1.6, "猪五花 猪里脊 排骨 牛腩 牛腱 羊肉片 鸡腿 鸡胸 三黄鸡 鸭胸 肉馅",
             "冷鲜 黑猪 精选 谷饲 农家", "250克 350克 500克 800克"),
    Category("水产", 0.03, 0.03, True, (1290, 8990), 0.24, (4, 6), (250, 1200), (500, 2200), 2,
             1, 1.7, "鲈鱼 带鱼 黄鱼 基围虾 花蛤 鱿鱼 三文鱼 草鱼片", "鲜活 冰鲜 深海 精选",
             "250克 400克 500克 整条"),
    Category("蛋豆制品", 0.03, 0.07, True, (290, 3990), 0.20, (6, 8, 12), (250, 1600),
             (500, 3000), 12, 1, 1.2, "鲜鸡蛋 土鸡蛋 鸭蛋 嫩豆腐 老豆腐 豆干 千张 素鸡",
             "农家 谷物 有机 精选", "300克 500克 10枚 15枚 30枚"),
    Category("乳品冷藏", 0.06, 0.09, True, (390, 5990), 0.24, (8, 10, 12), (180, 1100), (200, 1300),
             15, 2, 1.1, "鲜牛奶 酸奶 风味发酵乳 奶酪棒 黄油 豆浆 冷藏果汁 布丁",
             "原味 低脂 高钙 无糖 草莓味 巴氏", "200毫升 450毫升 950毫升 4连杯 8连杯"),
    Category("熟食烘焙", 0.04, 0.06, True, (390, 3990), 0.42, (4, 6, 8), (80, 800), (300, 2500), 3,
             1, 1.1, "吐司 餐包 蛋糕卷 酱牛肉 卤鸭翅 烤鸡 凉拌菜 馒头 包子 葱油饼",
             "现烤 手工 经典 全麦 香辣", "1份 2个装 4个装 300克"),
    Category("粮油调味", 0.11, 0.07, False, (290, 12990), 0.17, (6, 10, 12), (200, 5200),
             (250, 6000), 0, 3, 1.5,
             "东北大米 长粒香米 面粉 挂面 菜籽油 花生油 酱油 香醋 料酒 食盐 白砂糖 豆瓣酱",
             DRY_QUALITIES, "400克 500毫升 1.8升 2.5千克 5千克 5升"),
    Category("休闲零食", 0.16, 0.10, False, (290, 4990), 0.30, (10, 12, 20), (40, 800), (200, 3500),
             0, 3, 2.4, "薯片 饼干 坚果 瓜子 糖果 巧克力 海苔 牛肉干 果干 蛋黄派 锅巴 话梅",
             DRY_QUALITIES, "60克 100克 180克 250克 500克 礼盒装"),
    Category("酒水饮料", 0.13, 0.09, False, (150, 19900), 0.26, (6, 12, 15, 24), (250, 2600),
             (250, 2600), 0, 3, 2.0,
             "矿泉水 绿茶饮料 果汁饮料 可乐型汽水 椰子水 乳酸菌饮料 啤酒 黄酒 白酒 葡萄酒 咖啡饮料",
             DRY_QUALITIES, "330毫升 500毫升 1升 1.5升 6罐装 12瓶装"),
    Category("方便速食", 0.06, 0.04, False, (250, 3990), 0.25, (5, 12, 24), (80, 700), (300, 2800),
             0, 3, 0.8, "方便面 自热火锅 自热米饭 粉丝 麦片 火腿肠 八宝粥 罐头 螺蛳粉",
             DRY_QUALITIES, "单包 5连包 桶装 400克 750克"),
    Category("冷冻食品", 0.05, 0.03, False, (590, 5990), 0.27, (6, 8, 10), (300, 1500), (500, 2500),
             0, 2, 1.4, "水饺 汤圆 馄饨 手抓饼 鱼丸 牛肉丸 冰淇淋 速冻玉米",
             DRY_QUALITIES, "300克 500克 1千克 大袋"),
    Category("洗护清洁", 0.10, 0.03, False, (490, 8990), 0.32, (6, 12), (150, 3200), (200, 3600),
             0, 4, 1.1, "洗衣液 洗洁精 洗手液 洗发露 沐浴露 牙膏 牙刷 香皂 消毒液",
             "清香 温和 强效 家庭装 柔顺 草本", "120克 500毫升 750毫升 1千克 2千克 3支装"),
    Category("纸品家居", 0.06, 0.02, False, (390, 6990), 0.29, (4, 6, 8), (100, 2800), (900, 16000),
             0, 4, 1.2, "抽纸 卷纸 湿巾 保鲜袋 垃圾袋 毛巾 收纳盒 一次性杯",
             "柔韧 加厚 三层 四层 便携 家庭装", "3包 6包 10包 12卷 100只"),
)  # fmt: skip
GTIN_PREFIX = "699"
"""China's range is 690–699; the numbers are synthetic and stand for no real article."""


def cn_skus(count: int, rng: np.random.Generator) -> tuple[Skus, npt.NDArray[np.float64]]:
    """(SKUs, (K,) share of the lines that each SKU's category asks for, per SKU)."""
    category = _spread(count, np.array([c.sku_share for c in CATEGORIES]))
    names, serial = [], [0] * len(CATEGORIES)
    for number in category:
        names.append(_name(CATEGORIES[number], serial[number]))
        serial[number] += 1
    rules = [CATEGORIES[number] for number in category]
    price = _between(rng, [rule.price_fen for rule in rules], count)
    # Prices end in 9 or 90, as on the shelf.
    price = np.where(price < 1_000, price // 10 * 10 + 9, price // 100 * 100 + 90)
    margin = np.array([rule.margin for rule in rules]) * rng.uniform(0.85, 1.15, count)
    used = np.bincount(category, minlength=len(CATEGORIES))
    weight = np.array([c.line_share for c in CATEGORIES]) / np.maximum(used, 1)
    skus = Skus(
        tuple(f"K{i + 1:05d}" for i in range(count)),
        tuple(names),
        frozen(category, np.int32),
        tuple(c.name for c in CATEGORIES),
        np.maximum(1, np.round(price * (1 - margin))),
        frozen(price, np.int32),
        np.array([rule.packs[int(rng.integers(len(rule.packs)))] for rule in rules]),
        frozen(_between(rng, [rule.mass_g for rule in rules], count), np.int32),
        frozen(_between(rng, [rule.volume_cm3 for rule in rules], count), np.int32),
        np.array([rule.shelf_life_days for rule in rules]),
        tuple(make_gtin14(GTIN_PREFIX, i + 1) for i in range(count)),
    )
    return skus, weight[category]


def _between(
    rng: np.random.Generator, limits: list[tuple[int, int]], count: int
) -> npt.NDArray[np.int64]:
    """(K,) integers, even on the logarithm between each one's limits."""
    low, high = np.log(np.array(limits, dtype=np.float64)).T
    return np.asarray(np.round(np.exp(low + (high - low) * rng.random(count))), dtype=np.int64)


def _spread(count: int, share: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """(K,) category of each SKU: at every length, numbers follow the shares."""
    share = share / share.sum()
    given = np.zeros(len(share))
    out = np.empty(count, dtype=np.int64)
    for k in range(count):
        out[k] = np.argmax(share * (k + 1) - given)
        given[out[k]] += 1
    return out


def _name(rule: Category, serial: int) -> str:
    """The `serial`-th name of a category; all differ."""
    nouns, qualities, sizes = rule.nouns.split(), rule.qualities.split(), rule.sizes.split()
    serial, noun = divmod(serial, len(nouns))
    serial, quality = divmod(serial, len(qualities))
    serial, size = divmod(serial, len(sizes))
    tail = f" {serial + 1}号" if serial else ""
    return f"{qualities[(quality + noun) % len(qualities)]}{nouns[noun]} {sizes[size]}{tail}"
